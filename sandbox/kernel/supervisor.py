"""The supervisor: it serves the host's requests, and keeps a worker that runs cells."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import posixpath
import selectors
import signal
from typing import Any, NoReturn

from .cell import Cell
from .files import Upload, open_to_read, walk
from .frames import MAX_BODY, Header, Unpacker, pack
from .interpreter import Interpreter
from .proxy_relay import start_relay

_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36


class Supervisor:
    """A server that reads requests from one descriptor and writes replies to another."""

    def __init__(self, boot_data: bytes, reading: int, writing: int) -> None:
        self._boot_data = boot_data
        self._options: dict[str, Any] = json.loads(boot_data)["options"]
        self._root: str = self._options["data"]
        self._reading = reading
        self._writing = writing
        self._unpacker = Unpacker()
        self._interpreter = Interpreter(boot_data, self._root)
        self._upload: Upload | None = None

    def serve(self) -> None:
        """Serve requests until the host closes the channel."""
        self._send({"type": "ready", "id": 0})
        while True:
            request, body = self._receive()
            reply: Header
            try:
                if request["op"] != "put":
                    self._abandon_upload()
                if request["op"] == "execute":
                    reply = self._execute(request, body)
                elif request["op"] == "put":
                    reply = self._put(request, body)
                elif request["op"] == "get":
                    reply = self._get(request)
                elif request["op"] == "list":
                    reply = {"files": [(path, s.st_size) for path, s in walk(self._root)]}
                else:
                    # An interrupt that came after its cell was done.
                    continue
            except OSError as error:
                reply = {"failed": error.strerror or str(error), "errno": error.errno}
            except ValueError as error:
                # A path that no file can have.
                reply = {"failed": str(error), "errno": None}
            self._send({"type": "done", "id": request["id"], **reply})

    def _execute(self, request: Header, code: bytes) -> Header:
        cell = Cell(self._interpreter, request, self._root, self._send)
        if cell.start(code):
            # For a few descriptors and a short time: poll needs no system call to register them.
            with selectors.PollSelector() as selector:
                cell.register(selector)
                selector.register(self._reading, selectors.EVENT_READ, self._on_host)
                self._handle_interrupts(cell)
                while not cell.finished:
                    for key, _ in selector.select(cell.time_left()):
                        if key.data(cell):
                            break
                    cell.check_time()
        if cell.interpreter_lost:
            # All processes that the worker started end too; the next cell gets a new interpreter.
            return cell.reply(self._replace_interpreter())
        self._interpreter.reap()
        return cell.reply(None)

    def _replace_interpreter(self) -> int:
        try:
            status = self._interpreter.destroy()
            self._interpreter = Interpreter(self._boot_data, self._root)
        except OSError:
            # Some processes cannot be killed, or none can be started: the sandbox is unusable.
            os._exit(1)
        return status

    def _on_host(self, cell: Cell) -> bool:
        self._read()
        self._handle_interrupts(cell)
        return False

    def _handle_interrupts(self, cell: Cell) -> None:
        # The host sends one request at a time: during a cell, only its interrupt can arrive.
        while frame := self._unpacker.next():
            if frame[0].get("op") == "interrupt":
                cell.interrupt()

    def _put(self, request: Header, body: bytes) -> Header:
        try:
            if request["first"]:
                self._abandon_upload()
                self._upload = Upload(self._root, request["path"])
            if self._upload is None:
                return {"failed": "an earlier part was not written"}
            self._upload.write(body)
            if request["last"]:
                self._upload.finish()
                self._upload = None
        except (OSError, ValueError):
            self._abandon_upload()
            raise
        return {}

    def _abandon_upload(self) -> None:
        """Remove a file of which a part failed or was never sent."""
        upload, self._upload = self._upload, None
        if upload is not None:
            upload.abandon()

    def _get(self, request: Header) -> Header:
        fd, size = open_to_read(self._root, posixpath.normpath(request["path"]))
        try:
            if size > request["max_bytes"]:
                return {"too_large": size}
            left = size
            while left > 0 and (data := os.read(fd, min(MAX_BODY, left))):
                left -= len(data)
                self._send({"type": "part", "id": request["id"]}, data)
        finally:
            os.close(fd)
        return {}

    def _receive(self) -> tuple[Header, bytes]:
        while not (frame := self._unpacker.next()):
            self._read()
        return frame

    def _read(self) -> None:
        data = os.read(self._reading, MAX_BODY)
        if not data:
            self._exit()
        self._unpacker.feed(data)

    def _send(self, header: Header, body: bytes = b"") -> None:
        view = memoryview(pack(header, body))
        try:
            while view:
                view = view[os.write(self._writing, view) :]
        except OSError:
            self._exit()

    def _exit(self) -> NoReturn:
        with contextlib.suppress(OSError):
            self._interpreter.destroy()
        os._exit(0)


def main(boot_data: bytes) -> None:
    """Serve the host on stdin and stdout, which the worker never inherits."""
    libc = ctypes.CDLL(None)
    # Not dumpable: no process of the same user can trace this one or reopen its descriptors
    # through /proc. Subreaper: orphans of the worker become children of this process.
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    reading = os.dup(0)
    writing = os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    supervisor = Supervisor(boot_data, reading, writing)
    proxy = json.loads(boot_data)["options"].get("proxy")
    if proxy is not None:
        start_relay(proxy["port"], proxy["socket"])
    supervisor.serve()

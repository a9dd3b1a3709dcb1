"""The supervisor: serves the caller's requests, and keeps a worker alive to run cells."""

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

_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36


class Supervisor:
    """Reads requests on one descriptor and answers on another."""

    def __init__(self, blob: bytes, reading: int, writing: int) -> None:
        self._blob = blob
        self._options: dict[str, Any] = json.loads(blob)["options"]
        self._root: str = self._options["data"]
        self._reading = reading
        self._writing = writing
        self._unpacker = Unpacker()
        self._interpreter = Interpreter(blob, self._root)
        self._upload: Upload | None = None

    def serve(self) -> None:
        """Answer requests until the caller hangs up."""
        self._send({"is": "ready", "id": 0})
        while True:
            request, body = self._receive()
            reply: Header
            try:
                if request["do"] != "put":
                    self._abandon_upload()
                if request["do"] == "execute":
                    reply = self._execute(request, body)
                elif request["do"] == "put":
                    reply = self._put(request, body)
                elif request["do"] == "get":
                    reply = self._get(request)
                elif request["do"] == "list":
                    reply = {"files": [(path, s.st_size) for path, s in walk(self._root)]}
                else:
                    # An interrupt that came when its cell was already done.
                    continue
            except OSError as error:
                reply = {"failed": error.strerror or str(error), "errno": error.errno}
            self._send({"is": "done", "id": request["id"], **reply})

    def _execute(self, request: Header, code: bytes) -> Header:
        cell = Cell(self._interpreter, request, self._root, self._send)
        if cell.start(code):
            # Few descriptors, for a short time: poll needs no system call to learn of them.
            with selectors.PollSelector() as selector:
                cell.register(selector)
                selector.register(self._reading, selectors.EVENT_READ, self._on_caller)
                self._heed(cell)
                while not cell.over:
                    for key, _ in selector.select(cell.patience()):
                        if key.data(cell):
                            break
                    cell.check_time()
        if cell.interpreter_lost:
            # Whatever the worker started goes with it; the next cell finds a fresh interpreter.
            return cell.reply(self._replace_interpreter())
        self._interpreter.reap()
        return cell.reply(None)

    def _replace_interpreter(self) -> int:
        try:
            status = self._interpreter.destroy()
            self._interpreter = Interpreter(self._blob, self._root)
        except OSError:
            # Some processes cannot be ended, or none can be started: this place is past help.
            os._exit(1)
        return status

    def _on_caller(self, cell: Cell) -> bool:
        self._read()
        self._heed(cell)
        return False

    def _heed(self, cell: Cell) -> None:
        # A caller asks one thing at a time: all that may come with a cell is its interrupt.
        while frame := self._unpacker.next():
            if frame[0].get("do") == "interrupt":
                cell.interrupt()

    def _put(self, request: Header, body: bytes) -> Header:
        try:
            if request["first"]:
                self._abandon_upload()
                self._upload = Upload(self._root, request["path"])
            if self._upload is None:
                return {"failed": "an earlier part of it was not written"}
            self._upload.write(body)
            if request["last"]:
                self._upload.finish()
                self._upload = None
        except OSError:
            self._abandon_upload()
            raise
        return {}

    def _abandon_upload(self) -> None:
        """Let go of a file whose last part failed, or was never sent."""
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
                self._send({"is": "part", "id": request["id"]}, data)
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
            self._leave()
        self._unpacker.feed(data)

    def _send(self, header: Header, body: bytes = b"") -> None:
        view = memoryview(pack(header, body))
        try:
            while view:
                view = view[os.write(self._writing, view) :]
        except OSError:
            self._leave()

    def _leave(self) -> NoReturn:
        with contextlib.suppress(OSError):
            self._interpreter.destroy()
        os._exit(0)


def main(blob: bytes) -> None:
    """Serve the caller on stdin and stdout, which the worker never inherits."""
    libc = ctypes.CDLL(None)
    # Not dumpable: no process of the same user may trace this one, or reopen its
    # descriptors through /proc. And orphans of the worker become children of this process.
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    reading = os.dup(0)
    writing = os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    supervisor = Supervisor(blob, reading, writing)
    proxy = json.loads(blob)["options"].get("proxy")
    if proxy is not None:
        from .relay import start_relay

        start_relay(proxy["port"], proxy["socket"])
    supervisor.serve()

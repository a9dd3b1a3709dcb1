"""The worker as its supervisor sees it: started, asked, interrupted, killed with all it started."""

from __future__ import annotations

import array
import contextlib
import fcntl
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import termios
import time
from typing import cast

from .control import INTERRUPT, NONCE, PACKET, READY
from .program import PROGRAM, packed

REPORT_MAX = 8 * 1024 * 1024
"""Bytes that a worker may report about one cell; more is no report."""
_KILL_S = 4.0
_LOOK_S = 0.002


class Interpreter:
    """One worker process with its pipes; their write ends stay open here, so none ever ends."""

    def __init__(self, blob: bytes, workdir: str) -> None:
        self.stdout, self._stdout_in = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self.stderr, self._stderr_in = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        for fd in (self._stdout_in, self._stderr_in):
            os.set_blocking(fd, True)
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control.setblocking(False)
        source = os.memfd_create("ossia")
        os.write(source, packed(blob))
        os.lseek(source, 0, os.SEEK_SET)
        os.set_inheritable(source, True)
        theirs.set_inheritable(True)
        command = [sys.executable, "-u", "-c", PROGRAM, str(source), "worker", str(theirs.fileno())]
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=self._stdout_in,
                stderr=self._stderr_in,
                pass_fds=(source, theirs.fileno()),
                cwd=workdir,
                start_new_session=True,
            )
        finally:
            os.close(source)
            theirs.close()
        self.ended = os.pidfd_open(self._process.pid)
        self.ready = False
        """True once it has said that it can begin a cell."""
        self.hung_up = False
        """True once it can no longer report; mostly, because it is about to end."""
        self._status: int | None = None
        self._nonce = b""
        self._report = bytearray()

    def ask(self, request: dict[str, object], code: bytes) -> None:
        """Hand a cell over. OSError where the worker no longer listens."""
        self._nonce = secrets.token_bytes(NONCE)
        self._report.clear()
        text = os.memfd_create("cell")
        try:
            os.write(text, code)
            os.lseek(text, 0, os.SEEK_SET)
            packet = self._nonce + json.dumps(request).encode()
            socket.send_fds(self.control, [packet], [text])
        finally:
            os.close(text)

    def report(self) -> dict[str, object] | None:
        """Read what came on the control socket; return the report once it is whole.

        Packets without this cell's nonce are not the worker's, and are dropped.
        """
        while True:
            try:
                packet = self.control.recv(PACKET + 64)
            except (BlockingIOError, ConnectionError):
                return None
            if not packet:
                self.hung_up = True
                return None
            if packet == READY:
                self.ready = True
                continue
            if not self._nonce or packet[:NONCE] != self._nonce:
                continue
            self._report += packet[NONCE + 1 :]
            if len(self._report) > REPORT_MAX:
                self._nonce = b""
                return {}
            if packet[NONCE : NONCE + 1] == b".":
                self._nonce = b""
                with contextlib.suppress(ValueError):
                    report = json.loads(self._report)
                    if isinstance(report, dict):
                        return cast("dict[str, object]", report)
                return {}

    def waiting(self, fd: int) -> int:
        """Return how many bytes lie in a pipe now."""
        size = array.array("i", [0])
        fcntl.ioctl(fd, termios.FIONREAD, size)
        return size[0]

    def interrupt(self) -> None:
        """Press Ctrl-C: the worker, and what it started in its own group, get SIGINT."""
        with contextlib.suppress(OSError):
            self.control.send(INTERRUPT)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGINT)

    def reap(self) -> None:
        """Collect whatever has ended below this process: orphans are its children too."""
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                if pid == self._process.pid:
                    self._status = self._process.returncode = os.waitstatus_to_exitcode(status)

    def destroy(self) -> int:
        """Kill the worker and all that descended from it; return its status, as Popen has it.

        Raises TimeoutError where some of them will not die.
        """
        deadline = time.monotonic() + _KILL_S
        self.reap()
        stopped: set[int] = set()
        while below := _descendants():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(below)} processes would not die")
            # All are stopped before any is killed, so that none forks away between two looks.
            fresh = below - stopped
            _signal(fresh or below, signal.SIGSTOP if fresh else signal.SIGKILL)
            stopped |= fresh
            self.reap()
            time.sleep(0 if fresh else _LOOK_S)
        self.reap()
        for fd in (self.stdout, self._stdout_in, self.stderr, self._stderr_in, self.ended):
            os.close(fd)
        self.control.close()
        return -signal.SIGKILL if self._status is None else self._status


def _signal(pids: set[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def _descendants() -> set[int]:
    parents: dict[int, int] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    fields = file.read().rpartition(b")")[2].split()
            except OSError:
                continue
            if fields[0] != b"Z":
                parents[int(name)] = int(fields[1])
    below: set[int] = set()
    frontier = {os.getpid()}
    while frontier:
        frontier = {pid for pid, parent in parents.items() if parent in frontier} - below
        below |= frontier
    return below

"""The worker process, as the supervisor controls it."""

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
from .program import PROGRAM, add_length_prefix

MAX_REPORT = 8 * 1024 * 1024
"""Maximum size of a report; a longer one is invalid."""
_KILL_S = 4.0
_POLL_S = 0.002


class Interpreter:
    """A worker process and its pipes, whose write ends stay open here so that they never end."""

    def __init__(self, boot_data: bytes, workdir: str) -> None:
        self.stdout, self._stdout_in = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self.stderr, self._stderr_in = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        for fd in (self._stdout_in, self._stderr_in):
            os.set_blocking(fd, True)
        self.control, worker_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control.setblocking(False)
        source = os.memfd_create("ossia")
        os.write(source, add_length_prefix(boot_data))
        os.lseek(source, 0, os.SEEK_SET)
        os.set_inheritable(source, True)
        worker_end.set_inheritable(True)
        command = [
            sys.executable,
            "-u",
            "-c",
            PROGRAM,
            str(source),
            "worker",
            str(worker_end.fileno()),
        ]
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=self._stdout_in,
                stderr=self._stderr_in,
                pass_fds=(source, worker_end.fileno()),
                cwd=workdir,
                start_new_session=True,
            )
        finally:
            os.close(source)
            worker_end.close()
        self.pidfd = os.pidfd_open(self._process.pid)
        self.ready = False
        """Whether the worker is ready for a cell."""
        self.control_closed = False
        """Whether the worker closed its control socket, usually because it is about to exit."""
        self._status: int | None = None
        self._nonce = b""
        self._report = bytearray()

    def send_cell(self, request: dict[str, object], code: bytes) -> None:
        """Send a cell to the worker.

        Raises OSError if the worker closed its control socket.
        """
        self._nonce = secrets.token_bytes(NONCE)
        self._report.clear()
        code_fd = os.memfd_create("cell")
        try:
            os.write(code_fd, code)
            os.lseek(code_fd, 0, os.SEEK_SET)
            packet = self._nonce + json.dumps(request).encode()
            socket.send_fds(self.control, [packet], [code_fd])
        finally:
            os.close(code_fd)

    def read_report(self) -> dict[str, object] | None:
        """Read the control socket; return the report when it is complete, else None.

        Packets without this cell's nonce do not come from the worker, and are ignored.
        An invalid report is returned as an empty one.
        """
        while True:
            try:
                packet = self.control.recv(PACKET + 64)
            except (BlockingIOError, ConnectionError):
                return None
            if not packet:
                self.control_closed = True
                return None
            if packet == READY:
                self.ready = True
                continue
            if not self._nonce or packet[:NONCE] != self._nonce:
                continue
            self._report += packet[NONCE + 1 :]
            if len(self._report) > MAX_REPORT:
                self._nonce = b""
                return {}
            if packet[NONCE : NONCE + 1] == b".":
                self._nonce = b""
                with contextlib.suppress(ValueError):
                    report = json.loads(self._report)
                    if isinstance(report, dict):
                        return cast("dict[str, object]", report)
                return {}

    def bytes_in_pipe(self, fd: int) -> int:
        """Return the number of unread bytes in a pipe."""
        size = array.array("i", [0])
        fcntl.ioctl(fd, termios.FIONREAD, size)
        return size[0]

    def interrupt(self) -> None:
        """Send SIGINT to the worker and its process group, like Ctrl-C."""
        with contextlib.suppress(OSError):
            self.control.send(INTERRUPT)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGINT)

    def reap(self) -> None:
        """Reap all ended children, which include orphans of the worker."""
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                if pid == self._process.pid:
                    self._status = self._process.returncode = os.waitstatus_to_exitcode(status)

    def kill_new_processes(self, old: set[int]) -> None:
        """Kill the processes that the worker started, apart from `old` ones.

        old: what `process_ids` returned earlier.

        Raises TimeoutError if some of them do not die.
        """
        self._kill_all_except({*old, self._process.pid})

    def destroy(self) -> int:
        """Kill the worker and all its descendants; return its exit status, as Popen does.

        Raises TimeoutError if some of them do not die.
        """
        self._kill_all_except(set())
        for fd in (self.stdout, self._stdout_in, self.stderr, self._stderr_in, self.pidfd):
            os.close(fd)
        self.control.close()
        return -signal.SIGKILL if self._status is None else self._status

    def _kill_all_except(self, spared: set[int]) -> None:
        deadline = time.monotonic() + _KILL_S
        self.reap()
        stopped: set[int] = set()
        while running := _descendants() - spared:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(running)} processes did not die")
            # Stop all of them before killing any, so that none can fork in the meantime.
            new = running - stopped
            _signal(new or running, signal.SIGSTOP if new else signal.SIGKILL)
            stopped |= new
            self.reap()
            time.sleep(0 if new else _POLL_S)
        self.reap()


def process_ids() -> set[int]:
    """Return the ids of all processes that can be seen."""
    return {int(name) for name in os.listdir("/proc") if name.isdigit()}


def _signal(pids: set[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def _descendants() -> set[int]:
    parents: dict[int, int] = {}
    for pid in process_ids():
        try:
            with open(f"/proc/{pid}/stat", "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
        except OSError:
            continue
        if fields[0] != b"Z":
            parents[pid] = int(fields[1])
    descendants: set[int] = set()
    generation = {os.getpid()}
    while generation:
        generation = {pid for pid, parent in parents.items() if parent in generation} - descendants
        descendants |= generation
    return descendants

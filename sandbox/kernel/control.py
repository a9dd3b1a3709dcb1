"""The worker's end of the control socket: it receives cells and sends reports."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from typing import Any, NamedTuple

READY = b"ready"
"""The packet that a worker sends once, when it is ready for its first cell."""
INTERRUPT = b"interrupt"
"""The packet that accompanies SIGINT, which a worker ignores until its cell has started."""
NONCE = 16
"""Size of the random id of a cell, which starts its request and each part of its report."""
PACKET = 60 * 1024
"""Maximum bytes of a report in one packet."""


class Request(NamedTuple):
    """A cell to run."""

    nonce: bytes
    options: dict[str, Any]
    code: str


class Control:
    """The control socket. Cells may change its settings; it works as long as it is open."""

    def __init__(self, fd: int) -> None:
        self._socket = socket.socket(fileno=fd)
        self._socket.set_inheritable(False)
        # Reserves a descriptor for the next cell's code, in case a cell uses up all others.
        self._reserve = os.open(os.devnull, os.O_RDONLY)

    def ready(self) -> None:
        """Report that the worker is ready, which starts the first cell's time limit."""
        self._socket.send(READY)

    def receive(self) -> Request:
        """Wait for a cell; ignore an interrupt that came too late for the last one.

        Raises EOFError if the supervisor is gone.
        """
        with contextlib.suppress(OSError):
            os.close(self._reserve)
        try:
            # The last cell may have made the socket non-blocking.
            self._socket.setblocking(True)
            descriptors: list[int] = []
            packet = INTERRUPT
            while packet == INTERRUPT:
                packet, descriptors, _, _ = socket.recv_fds(self._socket, PACKET, 1)
            if not packet:
                raise EOFError("the supervisor is gone")
            with open(descriptors[0], "rb") as file:
                code = file.read().decode()
        finally:
            with contextlib.suppress(OSError):
                self._reserve = os.open(os.devnull, os.O_RDONLY)
        return Request(packet[:NONCE], json.loads(packet[NONCE:]), code)

    def interrupted(self) -> bool:
        """Return whether the current cell was interrupted before it started."""
        try:
            # Nothing else is sent while a cell runs.
            return bool(self._socket.recv(1, socket.MSG_DONTWAIT | socket.MSG_PEEK))
        except BlockingIOError:
            return False

    def report(self, nonce: bytes, report: bytes) -> None:
        """Send the report of a cell."""
        self._socket.setblocking(True)
        while len(report) > PACKET:
            self._socket.send(nonce + b"+" + report[:PACKET])
            report = report[PACKET:]
        self._socket.send(nonce + b"." + report)

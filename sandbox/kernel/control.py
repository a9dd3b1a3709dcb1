"""The worker's end of its line to the supervisor: cells come in, reports go out."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from typing import Any, NamedTuple

READY = b"ready"
"""What a worker says once, when it can begin its first cell."""
INTERRUPT = b"interrupt"
"""What comes beside SIGINT, which means nothing to a worker that has not begun its cell."""
NONCE = 16
"""Bytes before each request and each part of its report: they tell one cell's from another's."""
PACKET = 60 * 1024
"""Bytes of a report that travel in one packet."""


class Request(NamedTuple):
    """One cell, as its worker gets it."""

    nonce: bytes
    options: dict[str, Any]
    code: str


class Control:
    """A socket that the cells' code may find, and change; it works on as long as it is open."""

    def __init__(self, fd: int) -> None:
        self._socket = socket.socket(fileno=fd)
        self._socket.set_inheritable(False)
        # A descriptor for the next cell's code, should a cell have used up all others.
        self._reserve = os.open(os.devnull, os.O_RDONLY)

    def ready(self) -> None:
        """Say that the first cell may come; its time runs from here."""
        self._socket.send(READY)

    def receive(self) -> Request:
        """Wait for a cell; an interrupt that came too late for the last one is dropped.

        Raises EOFError where the supervisor is gone.
        """
        with contextlib.suppress(OSError):
            os.close(self._reserve)
        try:
            # The last cell may have made all descriptors non-blocking.
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
        """True where the current cell's interrupt came before the cell could begin."""
        try:
            # Nothing else is sent while a cell is under way.
            return bool(self._socket.recv(1, socket.MSG_DONTWAIT | socket.MSG_PEEK))
        except BlockingIOError:
            return False

    def report(self, nonce: bytes, report: bytes) -> None:
        """Tell how a cell ended."""
        self._socket.setblocking(True)
        while len(report) > PACKET:
            self._socket.send(nonce + b"+" + report[:PACKET])
            report = report[PACKET:]
        self._socket.send(nonce + b"." + report)

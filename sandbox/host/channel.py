"""Sockets to a supervisor, read and written on demand: no task runs between calls."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence
from typing import Protocol

import anyio

_STDERR_S = 2.0
"""Seconds to wait for the rest of stderr."""
_STDERR_MAX = 4096


class Closeable(Protocol):
    """An object with a `close` method."""

    def close(self) -> None:
        """Close it; further calls have no effect."""
        ...


class ChannelClosedError(Exception):
    """The other side closed the connection."""


class Channel:
    """A byte stream over a socket. A cancelled call loses no bytes in either direction."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._socket = sock
        self._unsent = bytearray()

    async def send(self, data: bytes) -> None:
        """Send all data, after what a cancelled call left unsent."""
        self._unsent += data
        while self._unsent:
            try:
                sent = self._socket.send(self._unsent[: 1 << 20])
            except (BlockingIOError, ssl.SSLWantWriteError):
                await anyio.wait_writable(self._socket)
            except OSError as error:
                raise ChannelClosedError(str(error)) from error
            else:
                del self._unsent[:sent]

    async def receive(self) -> bytes:
        """Return the next bytes.

        Raises ChannelClosedError if the other side closed the connection.
        """
        while True:
            try:
                data = self._socket.recv(1 << 20)
            except (BlockingIOError, ssl.SSLWantReadError):
                await anyio.wait_readable(self._socket)
            except OSError as error:
                raise ChannelClosedError(str(error)) from error
            else:
                if not data:
                    raise ChannelClosedError("the other side closed the connection")
                return data

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()


class DockerChannel(Channel):
    """The stream of `docker attach`: pieces of stdout and stderr, each with an 8-byte header."""

    def __init__(self, sock: socket.socket, owners: Sequence[Closeable]) -> None:
        """Take a socket, and the SDK's objects that keep it open."""
        super().__init__(sock)
        self._owners = owners
        self._raw = bytearray()
        self._stderr = b""

    async def stderr_tail(self) -> str:
        """Return the end of the stderr of a container that has ended."""
        with anyio.move_on_after(_STDERR_S):
            try:
                while True:
                    await self.receive()
            except ChannelClosedError:
                pass
        return self._stderr.decode(errors="replace").strip()

    def close(self) -> None:
        """Close the connection."""
        for owner in self._owners:
            owner.close()
        super().close()

    async def receive(self) -> bytes:
        """Return the next bytes of stdout."""
        while True:
            while len(self._raw) >= 8:
                end = 8 + int.from_bytes(self._raw[4:8], "big")
                if len(self._raw) < end:
                    break
                stream, payload = self._raw[0], bytes(self._raw[8:end])
                del self._raw[:end]
                if stream == 1:
                    return payload
                self._stderr = (self._stderr + payload)[-_STDERR_MAX:]
            self._raw += await super().receive()

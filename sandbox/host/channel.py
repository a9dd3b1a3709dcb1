"""A socket to a supervisor, read and written on demand: nothing waits on it between calls."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence
from typing import Protocol

import anyio

_WORDS_S = 2.0


class Closeable(Protocol):
    """Whatever can be closed."""

    def close(self) -> None:
        """Close it; twice does no harm."""
        ...


class ChannelClosedError(Exception):
    """The other side hung up."""


class Channel:
    """Sends whole messages, receives whatever came. A cancelled call loses no byte either way."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._socket = sock
        self._unsent = bytearray()

    async def send(self, data: bytes) -> None:
        """Send all of it. What a cancelled call left unsent goes first."""
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

        Raises ChannelClosedError where the other side has hung up.
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
                    raise ChannelClosedError("the other side hung up")
                return data

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


class DockerChannel(Channel):
    """The stream of `docker attach`: pieces of stdout and stderr, each behind eight bytes."""

    def __init__(self, sock: socket.socket, owners: Sequence[Closeable]) -> None:
        """Take a socket, and the SDK's objects that hold it open."""
        super().__init__(sock)
        self._owners = owners
        self._raw = bytearray()
        self._stderr = b""

    async def stderr_tail(self) -> str:
        """Return the end of what a container that has ended wrote on stderr: why it did."""
        with anyio.move_on_after(_WORDS_S):
            try:
                while True:
                    await self.receive()
            except ChannelClosedError:
                pass
        return self._stderr.decode(errors="replace").strip()

    def close(self) -> None:
        """Hang up."""
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
                self._stderr = (self._stderr + payload)[-4096:]
            self._raw += await super().receive()

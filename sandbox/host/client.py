"""The client of a kernel: it sends one request at a time and reads the reply's frames."""

from __future__ import annotations

from collections.abc import Callable

import anyio

from ..kernel import FrameError, Header, Unpacker, pack
from .channel import Channel, ChannelClosedError

OnFrame = Callable[[Header, bytes], None]


class KernelGoneError(Exception):
    """The supervisor closed the connection, or no longer follows the protocol."""


class KernelClient:
    """Requests and replies over one channel.

    A cancelled request does not disturb the next one: its late frames carry its id, and are
    ignored.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._unpacker = Unpacker()
        self._id = 0

    async def boot(self, data: bytes) -> None:
        """Send the kernel's modules, and wait until the supervisor is ready."""
        try:
            await self._channel.send(data)
            await self._next_frame()
        except (ChannelClosedError, FrameError) as error:
            raise KernelGoneError(str(error)) from error

    async def request(
        self, request: Header, body: bytes = b"", on_frame: OnFrame | None = None
    ) -> Header:
        """Send a request; return the header of the last frame of its reply.

        on_frame: called with each frame before the last.
        """
        self._id += 1
        try:
            await self._channel.send(pack({**request, "id": self._id}, body))
            return await self._receive_reply(on_frame)
        except (ChannelClosedError, FrameError) as error:
            raise KernelGoneError(str(error)) from error

    async def interrupt(self, within_s: float) -> bool:
        """Interrupt the cell whose request was cancelled; return whether it stopped in time."""
        with anyio.move_on_after(within_s):
            try:
                await self._channel.send(pack({"op": "interrupt"}))
                await self._receive_reply(None)
            except (ChannelClosedError, FrameError):
                return False
            return True
        return False

    def close(self) -> None:
        """Close the channel; the supervisor and all its processes end."""
        self._channel.close()

    async def _receive_reply(self, on_frame: OnFrame | None) -> Header:
        while True:
            header, body = await self._next_frame()
            if header.get("id") != self._id:
                continue
            if header.get("type") == "done":
                return header
            if on_frame is not None:
                on_frame(header, body)

    async def _next_frame(self) -> tuple[Header, bytes]:
        while not (frame := self._unpacker.next()):
            self._unpacker.feed(await self._channel.receive())
        return frame

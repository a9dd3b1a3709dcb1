"""The caller's end of a kernel: one request at a time, and the frames that answer it."""

from __future__ import annotations

from collections.abc import Callable

import anyio

from ..kernel import FrameError, Header, Unpacker, pack
from .channel import Channel, ChannelClosedError

OnFrame = Callable[[Header, bytes], None]


class KernelGoneError(Exception):
    """The supervisor hung up, or no longer speaks the protocol."""


class KernelClient:
    """Requests and replies over one channel.

    A cancelled request does not disturb the next: its late frames carry its number, and are
    dropped.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._unpacker = Unpacker()
        self._number = 0

    async def boot(self, blob: bytes) -> None:
        """Send the kernel, and wait until its supervisor answers."""
        try:
            await self._channel.send(blob)
            await self._frame()
        except (ChannelClosedError, FrameError) as error:
            raise KernelGoneError(str(error)) from error

    async def ask(
        self, request: Header, body: bytes = b"", on_frame: OnFrame | None = None
    ) -> Header:
        """Send a request; return the header of its last frame, and pass on those before it."""
        self._number += 1
        try:
            await self._channel.send(pack({**request, "id": self._number}, body))
            return await self._reply(on_frame)
        except (ChannelClosedError, FrameError) as error:
            raise KernelGoneError(str(error)) from error

    async def interrupt(self, within_s: float) -> bool:
        """Interrupt the cell whose request was given up; return whether it ended in time."""
        with anyio.move_on_after(within_s):
            try:
                await self._channel.send(pack({"do": "interrupt"}))
                await self._reply(None)
            except (ChannelClosedError, FrameError):
                return False
            return True
        return False

    def close(self) -> None:
        """Hang up; the supervisor ends, and all below it."""
        self._channel.close()

    async def _reply(self, on_frame: OnFrame | None) -> Header:
        while True:
            header, body = await self._frame()
            if header.get("id") != self._number:
                continue
            if header.get("is") == "done":
                return header
            if on_frame is not None:
                on_frame(header, body)

    async def _frame(self) -> tuple[Header, bytes]:
        while not (frame := self._unpacker.next()):
            self._unpacker.feed(await self._channel.receive())
        return frame

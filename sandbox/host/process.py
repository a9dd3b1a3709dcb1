"""A supervisor as a child process of ours, and the channel to it."""

from __future__ import annotations

import socket
from collections.abc import Sequence

import anyio
from anyio.abc import Process

from .channel import Channel

_LEAVE_S = 5.0
"""Seconds that a supervisor may take to leave when its caller hangs up."""
_WORDS = 4096
_WORDS_S = 2.0


class KernelProcess:
    """A child that speaks the kernel's protocol on stdin and stdout, from `start` to `end`."""

    def __init__(self) -> None:
        self._process: Process | None = None

    @property
    def started(self) -> bool:
        """True from `start` to `end`, whether it still lives or not."""
        return self._process is not None

    async def start(
        self, command: Sequence[str], *, pass_fds: Sequence[int] = (), user: int | None = None
    ) -> Channel:
        """Start it in a session of its own; return the channel, which is closed before `end`.

        user: the user and group that it becomes; None where it stays who we are.
        """
        ours, theirs = socket.socketpair()
        try:
            # A start that is cancelled half-way would leave a process to nobody.
            with theirs, anyio.CancelScope(shield=True):
                self._process = await anyio.open_process(
                    command,
                    stdin=theirs.fileno(),
                    stdout=theirs.fileno(),
                    start_new_session=True,
                    pass_fds=pass_fds,
                    user=user,
                    group=user,
                    extra_groups=None if user is None else (),
                )
        except BaseException:
            ours.close()
            raise
        return Channel(ours)

    async def end(self) -> None:
        """Wait for its end, which follows the channel's, and kill it only where it stays.

        Killed, bubblewrap would leave its inner half to an init that may not reap.
        """
        if self._process is None:
            return
        with anyio.move_on_after(_LEAVE_S):
            await self._process.wait()
        if self._process.returncode is None:
            self._process.kill()
        await self._process.aclose()
        self._process = None

    async def stderr_tail(self) -> str:
        """Return the end of what it wrote on stderr."""
        said = b""
        if self._process is not None and self._process.stderr is not None:
            with anyio.move_on_after(_WORDS_S):
                async for part in self._process.stderr:
                    said = (said + part)[-_WORDS:]
        return said.decode(errors="replace").strip()

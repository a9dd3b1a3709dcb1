"""A supervisor that runs as a child process."""

from __future__ import annotations

import socket
from collections.abc import Sequence

import anyio
from anyio.abc import Process

from .channel import Channel

_EXIT_S = 5.0
"""Seconds that a supervisor has to exit after its channel is closed."""
_STDERR_MAX = 4096
_STDERR_S = 2.0


class KernelProcess:
    """A child process that speaks the kernel's protocol on stdin and stdout."""

    def __init__(self) -> None:
        self._process: Process | None = None

    @property
    def started(self) -> bool:
        """Return whether `start` was called and `stop` was not, even if the process is dead."""
        return self._process is not None

    async def start(
        self, command: Sequence[str], *, pass_fds: Sequence[int] = (), user: int | None = None
    ) -> Channel:
        """Start the process in its own session; return its channel. Close it before `stop`.

        user: the user and group id to run as; None keeps the current user.
        """
        host_end, kernel_end = socket.socketpair()
        try:
            # Shielded: a start that is cancelled halfway would leak a process.
            with kernel_end, anyio.CancelScope(shield=True):
                self._process = await anyio.open_process(
                    command,
                    stdin=kernel_end.fileno(),
                    stdout=kernel_end.fileno(),
                    start_new_session=True,
                    pass_fds=pass_fds,
                    user=user,
                    group=user,
                    extra_groups=None if user is None else (),
                )
        except BaseException:
            host_end.close()
            raise
        return Channel(host_end)

    async def stop(self) -> None:
        """Wait for the process, which exits when its channel is closed; kill it if it does not.

        A kill is the last resort: bubblewrap's inner process would then need an init that reaps.
        """
        if self._process is None:
            return
        with anyio.move_on_after(_EXIT_S):
            await self._process.wait()
        if self._process.returncode is None:
            self._process.kill()
        await self._process.aclose()
        self._process = None

    async def stderr_tail(self) -> str:
        """Return the end of its stderr."""
        tail = b""
        if self._process is not None and self._process.stderr is not None:
            with anyio.move_on_after(_STDERR_S):
                async for part in self._process.stderr:
                    tail = (tail + part)[-_STDERR_MAX:]
        return tail.decode(errors="replace").strip()

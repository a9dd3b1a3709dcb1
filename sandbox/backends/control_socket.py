"""The short way into a container: a socket file, to which its supervisor connects once.

What goes over `docker attach` passes the daemon and a shim of its own, both ways; for a short
cell that takes longer than the cell, and on a busy machine much longer.
"""

from __future__ import annotations

import shutil
import socket
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Self

import anyio
from anyio import to_thread

from ..cleanup import own_folder
from ..host import Channel, ChannelClosedError, DockerChannel
from ..network import bind_inside

INSIDE = "/run/ossia-line/kernel.sock"
"""Where the container's side of the socket lies, until it is connected."""


class ControlSocket:
    """A socket file that waits for one supervisor. It is gone when the block ends."""

    def __init__(self, outer: Path, listener: socket.socket) -> None:
        self._outer = outer
        self._listener = listener

    @classmethod
    def open(cls) -> ControlSocket | None:
        """Make one; None where no socket file can be made, as where TMPDIR is a very long path."""
        # Closed to others of this machine; what the container sees is the folder within.
        line = cls(own_folder("line"), socket.socket(socket.AF_UNIX))
        try:
            line.folder.mkdir()
            bind_inside(line._listener, line.folder / PurePosixPath(INSIDE).name, most=1)
        except OSError:
            line.close()
            return None
        return line

    @property
    def folder(self) -> Path:
        """What the container is to see."""
        return self._outer / "inside"

    def close(self) -> None:
        """Remove it; who is connected stays so."""
        self._listener.close()
        shutil.rmtree(self._outer, ignore_errors=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        with anyio.CancelScope(shield=True):
            await to_thread.run_sync(self.close)

    async def connected(self, attached: DockerChannel) -> Channel:
        """Return the supervisor's channel: the socket, or `attached` where it could not connect.

        A daemon may see other files than we do, or forbid its containers the host's sockets: the
        supervisor says so on its stdout, and reads on from there.
        """
        async with anyio.create_task_group() as group:

            async def attached_speaks() -> None:
                # Hung up, it ended at its start; whoever asks it next finds out.
                with suppress(ChannelClosedError):
                    await attached.receive()
                group.cancel_scope.cancel()

            group.start_soon(attached_speaks)
            await anyio.wait_readable(self._listener)
            group.cancel_scope.cancel()
        try:
            return Channel(self._listener.accept()[0])
        except BlockingIOError:
            return attached

"""A direct socket to a container's supervisor.

`docker attach` sends everything through the daemon and a shim, in both directions. For a short
cell this takes longer than the cell itself, and much longer on a busy machine.
"""

from __future__ import annotations

import shutil
import socket
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Self

import anyio
from anyio import to_thread

from ..cleanup import create_owned_folder
from ..host import Channel, ChannelClosedError, DockerChannel
from ..network import listen_for_sandbox

CONTROL_SOCKET = "/run/ossia-control/kernel.sock"
"""The path of the socket file inside the container, until the supervisor has connected."""


class ControlSocket:
    """A socket file to which one supervisor connects. The file is removed when the block ends."""

    def __init__(self, outer_folder: Path, listener: socket.socket) -> None:
        self._outer_folder = outer_folder
        self._listener = listener

    @classmethod
    def open(cls) -> ControlSocket | None:
        """Create the socket file; return None if that fails, for example if TMPDIR is too long."""
        # Other users cannot enter the outer folder; the container sees the folder inside it.
        control = cls(create_owned_folder("control"), socket.socket(socket.AF_UNIX))
        try:
            control.folder.mkdir()
            path = control.folder / PurePosixPath(CONTROL_SOCKET).name
            listen_for_sandbox(control._listener, path, backlog=1)
        except OSError:
            control.close()
            return None
        return control

    @property
    def folder(self) -> Path:
        """Return the folder to mount into the container."""
        return self._outer_folder / "inside"

    def close(self) -> None:
        """Remove the socket file; an existing connection stays open."""
        self._listener.close()
        shutil.rmtree(self._outer_folder, ignore_errors=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        with anyio.CancelScope(shield=True):
            await to_thread.run_sync(self.close)

    async def accept(self, attached: DockerChannel) -> Channel:
        """Return the supervisor's channel: this socket, or `attached` if it could not connect.

        The daemon may have other files than this process, or forbid its containers to use the
        host's sockets. Then the supervisor writes a byte to its stdout, and uses stdin and stdout.
        """
        async with anyio.create_task_group() as group:

            async def wait_for_stdout() -> None:
                # If the container has ended, the next request on the channel fails.
                with suppress(ChannelClosedError):
                    await attached.receive()
                group.cancel_scope.cancel()

            group.start_soon(wait_for_stdout)
            await anyio.wait_readable(self._listener)
            group.cancel_scope.cancel()
        try:
            return Channel(self._listener.accept()[0])
        except BlockingIOError:
            return attached

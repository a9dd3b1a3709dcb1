"""The kernel as a plain child process, without any sandbox around it."""

from __future__ import annotations

import shutil
import socket
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
from anyio import to_thread
from anyio.abc import Process

from .boot import boot_command
from .channel import Channel
from .owner import own_folder
from .session import LEAVE_S, KernelSandbox


@dataclass(kw_only=True, eq=False)
class UnsafeLocalSandbox(KernelSandbox):
    """The same kernel with nothing around it: for tests, and for code that you would run yourself.

    The code runs as you, sees your files and your network, and /mnt/data is a folder
    of its own that the code finds as its working directory; no limit but the time is enforced.
    """

    python: str = sys.executable
    _process: Process | None = field(default=None, init=False, repr=False)
    _folder: Path | None = field(default=None, init=False, repr=False)

    @property
    def folder(self) -> Path | None:
        """What stands for /mnt/data while the sandbox is open: a temporary folder of its own."""
        return self._folder

    def _kernel_options(self) -> dict[str, Any]:
        return {"data": str(self._folder), "rlimits": {}, "cpus": 0, "proxy": None}

    async def _start(self) -> Channel:
        self._folder = await to_thread.run_sync(own_folder, "local")
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                fd = theirs.fileno()
                # A start that is cancelled half-way leaves a process to nobody.
                with anyio.CancelScope(shield=True):
                    self._process = await anyio.open_process(
                        boot_command(self.python), stdin=fd, stdout=fd, stderr=None
                    )
        except BaseException:
            ours.close()
            raise
        return Channel(ours)

    async def _stop(self) -> None:
        if self._process is not None:
            with anyio.move_on_after(LEAVE_S):
                await self._process.wait()
            if self._process.returncode is None:
                self._process.kill()
            await self._process.aclose()
            self._process = None
        if self._folder is not None:
            await to_thread.run_sync(shutil.rmtree, self._folder, True)
            self._folder = None

    async def _why_dead(self) -> str:
        if self._process is None:
            return "it was never started"
        return f"its supervisor ended with status {await self._process.wait()}"

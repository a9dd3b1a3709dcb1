"""A kernel in a child process, without isolation."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from anyio import to_thread

from ..cleanup import create_owned_folder
from ..host import Channel, KernelProcess, KernelSandbox, boot_command


@dataclass(kw_only=True, eq=False)
class UnsafeLocalSandbox(KernelSandbox):
    """A kernel without isolation, for tests and for code that you trust.

    The code runs as you, with your files and your network. Its working directory is a temporary
    folder that takes the place of /mnt/data. Only the time limit is enforced.
    """

    python: str = sys.executable
    _process: KernelProcess = field(default_factory=KernelProcess, init=False, repr=False)
    _folder: Path | None = field(default=None, init=False, repr=False)

    @property
    def folder(self) -> Path | None:
        """Return the temporary folder that takes the place of /mnt/data; None if not open."""
        return self._folder

    def _kernel_options(self) -> dict[str, Any]:
        return {"data": str(self._folder), "rlimits": {}, "cpus": 0, "proxy": None}

    async def _start(self) -> Channel:
        self._folder = await to_thread.run_sync(create_owned_folder, "local")
        return await self._process.start(boot_command(self.python))

    async def _stop(self) -> None:
        await self._process.stop()
        if self._folder is not None:
            await to_thread.run_sync(shutil.rmtree, self._folder, True)
            self._folder = None

    async def _exit_reason(self) -> str:
        return await self._process.stderr_tail() or "its processes were killed"

"""The kernel as a plain child process, without any sandbox around it."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from anyio import to_thread

from ..cleanup import own_folder
from ..host import Channel, KernelProcess, KernelSandbox, boot_command


@dataclass(kw_only=True, eq=False)
class UnsafeLocalSandbox(KernelSandbox):
    """The same kernel with nothing around it: for tests, and for code that you would run yourself.

    The code runs as you, sees your files and your network, and /mnt/data is a folder
    of its own that the code finds as its working directory; no limit but the time is enforced.
    """

    python: str = sys.executable
    _process: KernelProcess = field(default_factory=KernelProcess, init=False, repr=False)
    _folder: Path | None = field(default=None, init=False, repr=False)

    @property
    def folder(self) -> Path | None:
        """What stands for /mnt/data while the sandbox is open: a temporary folder of its own."""
        return self._folder

    def _kernel_options(self) -> dict[str, Any]:
        return {"data": str(self._folder), "rlimits": {}, "cpus": 0, "proxy": None}

    async def _start(self) -> Channel:
        self._folder = await to_thread.run_sync(own_folder, "local")
        return await self._process.start(boot_command(self.python))

    async def _stop(self) -> None:
        await self._process.end()
        if self._folder is not None:
            await to_thread.run_sync(shutil.rmtree, self._folder, True)
            self._folder = None

    async def _exit_reason(self) -> str:
        return await self._process.stderr_tail() or "its processes were killed"

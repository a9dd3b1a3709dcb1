"""The kernel as a plain child process, without any sandbox around it."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from anyio import to_thread

from .boot import boot_command
from .channel import Channel
from .session import KernelSandbox


@dataclass(kw_only=True, eq=False)
class UnsafeLocalSandbox(KernelSandbox):
    """The same kernel with nothing around it: for tests, and for code that you would run yourself.

    The code runs as you, sees your files and your network, and /mnt/data is a folder
    of its own that the code finds as its working directory; no limit but the time is enforced.
    """

    python: str = sys.executable
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False, repr=False)
    _folder: Path | None = field(default=None, init=False, repr=False)

    def _kernel_options(self) -> dict[str, Any]:
        return {"data": str(self._folder), "rlimits": {}}

    async def _start(self) -> Channel:
        self._folder = Path(tempfile.mkdtemp(prefix="ossia-local-"))
        ours, theirs = socket.socketpair()
        try:
            self._process = await to_thread.run_sync(self._spawn, theirs)
        finally:
            theirs.close()
        return Channel(ours)

    def _spawn(self, theirs: socket.socket) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            boot_command(self.python), stdin=theirs.fileno(), stdout=theirs.fileno()
        )

    async def _stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            await to_thread.run_sync(self._process.wait)
            self._process = None
        if self._folder is not None:
            await to_thread.run_sync(shutil.rmtree, self._folder, True)
            self._folder = None

    async def _why_dead(self) -> str:
        if self._process is None:
            return "it was never started"
        status = await to_thread.run_sync(self._process.wait)
        return f"its supervisor ended with status {status}"

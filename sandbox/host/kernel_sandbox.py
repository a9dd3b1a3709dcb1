"""What all sandboxes have in common: cells, files and an orderly end, over a kernel."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from builtins import list as list_of
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import anyio

from ...errors import SandboxDiedError, SandboxError, SandboxPathError
from ..kernel import MAX_BODY, Header
from ..protocol import DATA, Execution, OnOutput, SandboxFile
from .bootstrap import boot_blob
from .channel import Channel
from .client import KernelClient, KernelGoneError
from .output import Output
from .paths import to_absolute, to_relative

START_S = 60.0
"""Seconds that a supervisor has to answer after its start."""
STOP_S = 15.0
"""Seconds that taking a sandbox down may take."""
SLACK_S = 20.0
"""Seconds beyond timeout and grace after which the sandbox itself is given up."""
TRANSFER_S = 120.0
"""Seconds that moving one part of a file may take."""


@dataclass(kw_only=True, eq=False)
class KernelSandbox(ABC):
    """A Sandbox around a supervisor that is reached over a channel."""

    output_kib: int = 64
    """Of each of stdout, stderr and the result. The middle is cut; both ends stay."""
    grace_s: float = 3.0
    """Seconds that an interrupted cell has to stop, before it is killed."""
    _kernel: KernelClient | None = field(default=None, init=False, repr=False)
    _lock: anyio.Lock = field(default_factory=anyio.Lock, init=False, repr=False)
    _opened: bool = field(default=False, init=False, repr=False)
    _cells: int = field(default=0, init=False, repr=False)

    @abstractmethod
    async def _start(self) -> Channel:
        """Start the place and its supervisor."""

    @abstractmethod
    async def _stop(self) -> None:
        """Take down whatever `_start` made; there may be nothing."""

    @abstractmethod
    async def _exit_reason(self) -> str:
        """Say what is known about the end of a place whose channel closed."""

    @abstractmethod
    def _kernel_options(self) -> dict[str, Any]:
        """Return what the kernel is told: its folder, and the limits it sets itself."""

    async def _close(self) -> None:  # noqa: B027 - most have nothing
        """Let go of what outlives a restart of the place."""

    async def __aenter__(self) -> Self:
        """Start it."""
        if self._opened:
            raise SandboxError("this sandbox is open already; each `async with` needs its own")
        self._opened = True
        try:
            await self._boot()
        except BaseException:
            self._opened = False
            with anyio.move_on_after(STOP_S, shield=True):
                await self._close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Take it down, with all that was in it."""
        self._opened = False
        await self._tear_down()
        with anyio.move_on_after(STOP_S, shield=True):
            await self._close()

    async def warm_up(self) -> None:
        """Wait until the interpreter inside is ready for its first cell."""
        async with self._ready() as kernel:
            await self._cell(kernel, 0, b"", START_S, Output(None))

    async def execute(
        self, code: str, *, timeout_s: float = 120.0, on_output: OnOutput | None = None
    ) -> Execution:
        """Run one cell; see `Sandbox.execute`."""
        text = code.encode("utf-8", "replace")
        if len(text) > MAX_BODY:
            raise SandboxError(f"a cell of {len(text)} bytes is too long; `put` it as a file")
        if not (timeout_s > 0 and math.isfinite(timeout_s)):
            raise SandboxError(f"timeout_s is {timeout_s!r}; give it seconds above 0")
        async with self._ready() as kernel:
            started = time.monotonic()
            self._cells += 1
            output = Output(on_output)
            reply = await self._cell(kernel, self._cells, text, timeout_s, output)
            return output.execution(reply, time.monotonic() - started)

    async def put(self, path: str, data: bytes) -> None:
        """Write a file; see `Sandbox.put`."""
        name = to_relative(path)
        async with self._ready() as kernel:
            for start in range(0, max(len(data), 1), MAX_BODY):
                request: Header = {"do": "put", "path": name, "first": start == 0}
                request["last"] = start + MAX_BODY >= len(data)
                reply = await self._transfer(kernel, request, data[start : start + MAX_BODY])
                if "failed" in reply:
                    raise SandboxPathError(f"cannot write {DATA}/{name}: {reply['failed']}")

    async def get(self, path: str, *, max_bytes: int = 64 * 1024 * 1024) -> bytes:
        """Read a file; see `Sandbox.get`."""
        name = to_relative(path)
        data = bytearray()
        async with self._ready() as kernel:
            request: Header = {"do": "get", "path": name, "max_bytes": max_bytes}
            reply = await self._transfer(kernel, request, collect=data)
        if "too_large" in reply:
            size = reply["too_large"]
            raise SandboxPathError(f"{DATA}/{name} holds {size} bytes; max_bytes is {max_bytes}")
        if "failed" in reply:
            raise SandboxPathError(f"cannot read {DATA}/{name}: {reply['failed']}")
        return bytes(data)

    async def list(self) -> list_of[SandboxFile]:
        """List the files; see `Sandbox.list`."""
        async with self._ready() as kernel:
            reply = await self._transfer(kernel, {"do": "list"})
        files = (SandboxFile(to_absolute(path), size) for path, size in reply["files"])
        return sorted(files, key=lambda file: file.path)

    @asynccontextmanager
    async def _ready(self) -> AsyncGenerator[KernelClient]:
        """Wait for the caller's turn, and start the place again where it was given up."""
        async with self._lock:
            if not self._opened:
                raise SandboxError("the sandbox is not open: use it inside its `async with`")
            yield self._kernel or await self._boot()

    async def _boot(self) -> KernelClient:
        try:
            with anyio.fail_after(START_S):
                kernel = self._kernel = KernelClient(await self._start())
                await kernel.boot(boot_blob(self._kernel_options()))
        except KernelGoneError as error:
            why = await self._post_mortem()
            raise SandboxDiedError(f"the sandbox ended while it started: {why}") from error
        except TimeoutError as error:
            await self._tear_down()
            raise SandboxDiedError(f"the sandbox did not start within {START_S:g} s") from error
        except BaseException:
            await self._tear_down()
            raise
        return kernel

    async def _tear_down(self) -> None:
        with anyio.move_on_after(STOP_S, shield=True):
            if self._kernel is not None:
                self._kernel.close()
                self._kernel = None
            await self._stop()

    async def _post_mortem(self) -> str:
        """Take down a place that is gone, and return what is known about its end."""
        why = "it did not say why"
        try:
            with anyio.move_on_after(STOP_S, shield=True):
                why = await self._exit_reason()
        finally:
            await self._tear_down()
        return why

    async def _cell(
        self, kernel: KernelClient, number: int, code: bytes, timeout_s: float, output: Output
    ) -> Header:
        request: Header = {
            "do": "execute",
            "number": number,
            "timeout_s": timeout_s,
            "grace_s": self.grace_s,
            "output_bytes": self.output_kib * 1024,
        }
        why = f"it did not answer within {timeout_s + self.grace_s + SLACK_S:g} s"
        try:
            with anyio.move_on_after(timeout_s + self.grace_s + SLACK_S):
                return await kernel.ask(request, code, output.on_frame)
            await self._tear_down()
        except KernelGoneError:
            why = await self._post_mortem()
        except BaseException:
            # Cancelled, or the caller's on_output raised: the cell must not go on unseen.
            with anyio.CancelScope(shield=True):
                if not await kernel.interrupt(2 * self.grace_s):
                    await self._tear_down()
            raise
        return await self._replaced(why)

    async def _replaced(self, why: str) -> Header:
        """Start another place, and tell of it as a cell's reply."""
        try:
            await self._boot()
        except SandboxError as error:
            raise SandboxDiedError(
                f"the sandbox went away ({why}), and no other could be started: {error}"
            ) from error
        said = f"the sandbox was replaced: {why}; variables and files are lost"
        return {
            "result": None,
            "error": {"name": "SandboxDied", "message": said, "traceback": ""},
            "files": [],
            "timed_out": why.startswith("it did not answer"),
            "state_lost": True,
        }

    async def _transfer(
        self,
        kernel: KernelClient,
        request: Header,
        body: bytes = b"",
        *,
        collect: bytearray | None = None,
    ) -> Header:
        def part(_: Header, data: bytes) -> None:
            if collect is not None:
                collect.extend(data)

        try:
            with anyio.fail_after(TRANSFER_S):
                return await kernel.ask(request, body, part)
        except (KernelGoneError, TimeoutError) as error:
            why = await self._post_mortem()
            raise SandboxDiedError(f"the sandbox went away ({why}); its files are lost") from error

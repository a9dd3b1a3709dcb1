"""The base class of all sandboxes: cells, files and cleanup, over a kernel."""

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
from ..protocol import DATA_FOLDER, Execution, OnOutput, SandboxFile
from .bootstrap import boot_data
from .channel import Channel
from .client import KernelClient, KernelGoneError
from .output import CellOutput
from .paths import replace_surrogates, to_absolute, to_relative

START_S = 60.0
"""Seconds that a supervisor has to start."""
STOP_S = 15.0
"""Seconds that removing a sandbox may take."""
SLACK_S = 20.0
"""Seconds beyond timeout and grace after which the whole sandbox is restarted."""
TRANSFER_S = 120.0
"""Seconds that the transfer of one part of a file may take."""


@dataclass(kw_only=True, eq=False)
class KernelSandbox(ABC):
    """A Sandbox whose supervisor is reached over a channel."""

    output_kib: int = 64
    """Maximum size of each of stdout, stderr and the result; the middle of more is omitted."""
    grace_s: float = 3.0
    """Seconds that an interrupted cell has to stop before it is killed."""
    _kernel: KernelClient | None = field(default=None, init=False, repr=False)
    _lock: anyio.Lock = field(default_factory=anyio.Lock, init=False, repr=False)
    _is_open: bool = field(default=False, init=False, repr=False)
    _cell_count: int = field(default=0, init=False, repr=False)

    @abstractmethod
    async def _start(self) -> Channel:
        """Start the sandbox and its supervisor."""

    @abstractmethod
    async def _stop(self) -> None:
        """Remove what `_start` created, if anything."""

    @abstractmethod
    async def _exit_reason(self) -> str:
        """Return why a sandbox whose channel closed has ended."""

    @abstractmethod
    def _kernel_options(self) -> dict[str, Any]:
        """Return the kernel's options; see `boot_data`."""

    async def _close(self) -> None:  # noqa: B027 - most have nothing to release
        """Release what survives a restart of the sandbox."""

    async def __aenter__(self) -> Self:
        """Start the sandbox."""
        if self._is_open:
            raise SandboxError(
                "this sandbox is already open; create another one for a second `async with`"
            )
        self._is_open = True
        try:
            await self._boot()
        except BaseException:
            self._is_open = False
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
        """Remove the sandbox and everything in it."""
        self._is_open = False
        await self._shut_down()
        with anyio.move_on_after(STOP_S, shield=True):
            await self._close()

    async def warm_up(self) -> None:
        """Wait until the interpreter is ready for its first cell."""
        async with self._locked_kernel() as kernel:
            await self._run_cell(kernel, 0, b"", START_S, CellOutput(None))

    async def execute(
        self, code: str, *, timeout_s: float = 120.0, on_output: OnOutput | None = None
    ) -> Execution:
        """Run one cell; see `Sandbox.execute`."""
        text = replace_surrogates(code).encode()
        if len(text) > MAX_BODY:
            raise SandboxError(
                f"a cell of {len(text)} bytes is too long; `put` it as a file and run that"
            )
        if not (timeout_s > 0 and math.isfinite(timeout_s)):
            raise SandboxError(f"timeout_s is {timeout_s!r}; use a finite number above 0")
        async with self._locked_kernel() as kernel:
            started = time.monotonic()
            self._cell_count += 1
            output = CellOutput(on_output)
            reply = await self._run_cell(kernel, self._cell_count, text, timeout_s, output)
            return output.execution(reply, time.monotonic() - started)

    async def put(self, path: str, data: bytes) -> None:
        """Write a file; see `Sandbox.put`."""
        name = to_relative(path)
        async with self._locked_kernel() as kernel:
            for start in range(0, max(len(data), 1), MAX_BODY):
                request: Header = {"op": "put", "path": name, "first": start == 0}
                request["last"] = start + MAX_BODY >= len(data)
                reply = await self._transfer(kernel, request, data[start : start + MAX_BODY])
                if "failed" in reply:
                    raise SandboxPathError(f"cannot write {DATA_FOLDER}/{name}: {reply['failed']}")

    async def get(self, path: str, *, max_bytes: int = 64 * 1024 * 1024) -> bytes:
        """Read a file; see `Sandbox.get`."""
        name = to_relative(path)
        data = bytearray()
        async with self._locked_kernel() as kernel:
            request: Header = {"op": "get", "path": name, "max_bytes": max_bytes}
            reply = await self._transfer(kernel, request, collect=data)
        if "too_large" in reply:
            size = reply["too_large"]
            raise SandboxPathError(
                f"{DATA_FOLDER}/{name} has {size} bytes; max_bytes is {max_bytes}"
            )
        if "failed" in reply:
            raise SandboxPathError(f"cannot read {DATA_FOLDER}/{name}: {reply['failed']}")
        return bytes(data)

    async def list(self) -> list_of[SandboxFile]:
        """Return the files; see `Sandbox.list`."""
        async with self._locked_kernel() as kernel:
            reply = await self._transfer(kernel, {"op": "list"})
        files = (SandboxFile(to_absolute(path), size) for path, size in reply["files"])
        return sorted(files, key=lambda file: file.path)

    @asynccontextmanager
    async def _locked_kernel(self) -> AsyncGenerator[KernelClient]:
        """Yield the kernel to one call at a time; restart the sandbox if it was shut down."""
        async with self._lock:
            if not self._is_open:
                raise SandboxError("the sandbox is not open: use it inside its `async with`")
            yield self._kernel or await self._boot()

    async def _boot(self) -> KernelClient:
        try:
            with anyio.fail_after(START_S):
                kernel = self._kernel = KernelClient(await self._start())
                await kernel.boot(boot_data(self._kernel_options()))
        except KernelGoneError as error:
            reason = await self._stop_dead()
            raise SandboxDiedError(f"the sandbox died during its start: {reason}") from error
        except TimeoutError as error:
            await self._shut_down()
            raise SandboxDiedError(f"the sandbox did not start within {START_S:g} s") from error
        except BaseException:
            await self._shut_down()
            raise
        return kernel

    async def _shut_down(self) -> None:
        with anyio.move_on_after(STOP_S, shield=True):
            if self._kernel is not None:
                self._kernel.close()
                self._kernel = None
            await self._stop()

    async def _stop_dead(self) -> str:
        """Shut down a sandbox that has died, and return the reason for its death."""
        reason = "unknown reason"
        try:
            with anyio.move_on_after(STOP_S, shield=True):
                reason = await self._exit_reason()
        finally:
            await self._shut_down()
        return reason

    async def _run_cell(
        self, kernel: KernelClient, number: int, code: bytes, timeout_s: float, output: CellOutput
    ) -> Header:
        request: Header = {
            "op": "execute",
            "number": number,
            "timeout_s": timeout_s,
            "grace_s": self.grace_s,
            "output_bytes": self.output_kib * 1024,
        }
        limit_s = timeout_s + self.grace_s + SLACK_S
        try:
            with anyio.move_on_after(limit_s):
                return await kernel.request(request, code, output.on_frame)
            await self._shut_down()
        except KernelGoneError:
            return await self._restart(await self._stop_dead(), timed_out=False)
        except BaseException:
            # Cancelled, or the caller's on_output raised: the cell must not continue.
            with anyio.CancelScope(shield=True):
                if not await kernel.interrupt(2 * self.grace_s):
                    await self._shut_down()
            raise
        return await self._restart(f"it did not respond within {limit_s:g} s", timed_out=True)

    async def _restart(self, reason: str, *, timed_out: bool) -> Header:
        """Restart a sandbox that died, and report its death as a cell's reply."""
        try:
            await self._boot()
        except SandboxError as error:
            raise SandboxDiedError(
                f"the sandbox died ({reason}) and could not be restarted: {error}"
            ) from error
        message = f"The sandbox died ({reason}) and was restarted: variables and files are lost."
        return {
            "result": None,
            "error": {"name": "SandboxDied", "message": message, "traceback": ""},
            "files": [],
            "timed_out": timed_out,
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
        def add_part(_: Header, data: bytes) -> None:
            if collect is not None:
                collect.extend(data)

        try:
            with anyio.fail_after(TRANSFER_S):
                return await kernel.request(request, body, add_part)
        except (KernelGoneError, TimeoutError) as error:
            reason = await self._stop_dead()
            raise SandboxDiedError(f"the sandbox died ({reason}); its files are lost") from error

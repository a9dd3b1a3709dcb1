"""A pool of warm sandboxes; each is used once and then removed."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from copy import copy
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import anyio
from anyio.abc import TaskGroup

from ..errors import SandboxError
from .backends import DockerSandbox
from .host import START_S, STOP_S, KernelSandbox

_MAX_STARTING = 4
"""Sandboxes that start at the same time: more would only slow each other down."""


@dataclass(frozen=True, slots=True)
class _Warm:
    sandbox: KernelSandbox
    started_s: float


@dataclass(kw_only=True, eq=False)
class SandboxPool:
    """A bounded pool of sandboxes whose interpreters are already running.

    Use it in one `async with` around everything that acquires from it. Sandboxes that are still
    in use when that block ends are removed.
    """

    make: Callable[[], KernelSandbox] = DockerSandbox
    """Creates a sandbox without opening it, such as `lambda: BubblewrapSandbox(memory_mib=512)`."""
    size: int = 2
    """Number of warm sandboxes to keep ready."""
    limit: int = 16
    """Maximum number of sandboxes: warm, in use, and starting. Further `acquire` calls wait."""
    max_idle_s: float = 600.0
    """Seconds without an `acquire` after which the warm sandboxes are removed, until the next."""
    max_age_s: float = 3600.0
    """Age in seconds at which a warm sandbox is replaced."""
    _warm: deque[_Warm] = field(default_factory=deque[_Warm], init=False, repr=False)
    _alive: set[KernelSandbox] = field(default_factory=set[KernelSandbox], init=False, repr=False)
    _starting: int = field(default=0, init=False, repr=False)
    _in_use: int = field(default=0, init=False, repr=False)
    _waiting: int = field(default=0, init=False, repr=False)
    _last_acquire_s: float = field(default=0.0, init=False, repr=False)
    _failure: SandboxError | None = field(default=None, init=False, repr=False)
    _changed: anyio.Condition = field(default_factory=anyio.Condition, init=False, repr=False)
    _stack: AsyncExitStack | None = field(default=None, init=False, repr=False)
    _group: TaskGroup | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        """Check the sizes.

        Raises ValueError unless 1 <= size <= limit.
        """
        if not 1 <= self.size <= self.limit:
            raise ValueError(
                f"size is {self.size} and limit is {self.limit}; use 1 <= size <= limit"
            )

    async def __aenter__(self) -> Self:
        """Start to fill the pool, without waiting for it."""
        self._stack = AsyncExitStack()
        self._group = await self._stack.enter_async_context(anyio.create_task_group())
        self._last_acquire_s = time.monotonic()
        self._refill()
        self._group.start_soon(self._expire)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        """Remove all sandboxes, including those in use."""
        assert self._stack is not None
        assert self._group is not None
        self._group.cancel_scope.cancel()
        self._group = None
        try:
            return await self._stack.__aexit__(kind, error, traceback)
        finally:
            with anyio.move_on_after(2 * STOP_S, shield=True):
                async with anyio.create_task_group() as group:
                    for sandbox in self._alive:
                        group.start_soon(sandbox.__aexit__, None, None, None)
            self._alive.clear()
            self._warm.clear()

    def __len__(self) -> int:
        """Return the number of warm sandboxes."""
        return len(self._warm)

    @property
    def in_use(self) -> int:
        """Return the number of acquired sandboxes whose blocks have not ended."""
        return self._in_use

    @asynccontextmanager
    async def acquire(self) -> AsyncGenerator[KernelSandbox]:
        """Yield an unused sandbox. It is removed in the background when the block ends.

        Raises SandboxError if no sandbox can be started.
        """
        sandbox = await self._take_warm()
        self._in_use += 1
        try:
            yield sandbox
        finally:
            self._in_use -= 1
            if self._group is not None:
                self._group.start_soon(self._replace, sandbox)

    async def _take_warm(self) -> KernelSandbox:
        if self._group is None:
            raise SandboxError("the pool is not open: use it inside its `async with`")
        self._last_acquire_s = time.monotonic()
        self._failure = None
        self._waiting += 1
        try:
            async with self._changed:
                self._remove_expired()
                while True:
                    if self._warm:
                        return self._warm.popleft().sandbox
                    if self._failure is not None:
                        # Several tasks may wait, and each adds its own facts to its error.
                        raise copy(self._failure) from self._failure
                    self._refill()
                    await self._changed.wait()
        finally:
            self._waiting -= 1
            self._refill()

    def _refill(self) -> None:
        """Start missing sandboxes: `size` of them, or one per waiter if more wait."""
        if self._group is None:
            return
        wanted = max(self.size, self._waiting)
        while len(self._warm) + self._starting < wanted and len(self._alive) < self.limit:
            if self._starting == _MAX_STARTING:
                return
            sandbox = self.make()
            self._alive.add(sandbox)
            self._starting += 1
            self._group.start_soon(self._start, sandbox)

    async def _start(self, sandbox: KernelSandbox) -> None:
        try:
            with anyio.fail_after(2 * START_S):
                await sandbox.__aenter__()
                await sandbox.warm_up()
            self._warm.append(_Warm(sandbox, time.monotonic()))
        except SandboxError as error:
            await self._record_failure(sandbox, error)
        except TimeoutError:
            await self._record_failure(sandbox, SandboxError("a sandbox did not start in time"))
        finally:
            self._starting -= 1
        if self._failure is None:
            self._refill()
        await self._notify()

    async def _record_failure(self, sandbox: KernelSandbox, error: SandboxError) -> None:
        self._failure = error
        await sandbox.__aexit__(None, None, None)
        self._alive.discard(sandbox)

    async def _replace(self, sandbox: KernelSandbox) -> None:
        await self._remove(sandbox)
        self._refill()

    def _remove_expired(self) -> None:
        """Remove warm sandboxes that are too old, or all of them if the pool is idle."""
        now = time.monotonic()
        idle = now - self._last_acquire_s > self.max_idle_s
        while self._warm and (idle or now - self._warm[0].started_s > self.max_age_s):
            assert self._group is not None
            self._group.start_soon(self._remove, self._warm.popleft().sandbox)

    async def _remove(self, sandbox: KernelSandbox) -> None:
        await sandbox.__aexit__(None, None, None)
        self._alive.discard(sandbox)
        await self._notify()

    async def _expire(self) -> None:
        while True:
            await anyio.sleep(min(self.max_idle_s, self.max_age_s) / 4)
            self._remove_expired()
            if time.monotonic() - self._last_acquire_s <= self.max_idle_s:
                self._refill()

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

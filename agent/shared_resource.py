"""Resources that several runs share, open while at least one of them uses them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Generic, Self, TypeVar

import anyio
from anyio.lowlevel import RunVar

T = TypeVar("T")


@dataclass
class _Entry(Generic[T]):
    """The resource of one event loop, and the number of its users."""

    lock: anyio.Lock = field(default_factory=anyio.Lock)
    """Held while the resource is opened."""
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    resources: list[T] = field(default_factory=list[T])
    """The resource, once it is open."""
    users: int = 0


class SharedResource(Generic[T]):
    """One resource per event loop, opened by its first user and closed by its last.

    For example, many runs of an engine share one connection pool. `run_sync` may be called
    repeatedly, although each call has its own event loop.

    open_resource: opens the resource; called once per event loop.
    """

    def __init__(self, open_resource: Callable[[], AbstractAsyncContextManager[T]]) -> None:
        self._open_resource = open_resource
        self._entry = RunVar[_Entry[T] | None](f"ossia_shared_{id(self)}", None)

    async def acquire(self) -> T:
        """Return the resource, which stays open until `release` is called."""
        entry = self._entry.get()
        if entry is None:
            entry = _Entry[T]()
            self._entry.set(entry)
        entry.users += 1
        try:
            if not entry.resources:
                async with entry.lock:
                    if not entry.resources:
                        resource = await entry.stack.enter_async_context(self._open_resource())
                        entry.resources.append(resource)
        except BaseException:
            await self.release()
            raise
        return entry.resources[0]

    async def release(self) -> None:
        """Stop using the resource. The last user closes it."""
        entry = self._entry.get()
        assert entry is not None, "release without acquire"
        entry.users -= 1
        if entry.users == 0:
            self._entry.set(None)
            await entry.stack.aclose()

    @asynccontextmanager
    async def use(self) -> AsyncGenerator[T]:
        """Keep the resource open for a block."""
        resource = await self.acquire()
        try:
            yield resource
        finally:
            await self.release()


class UsesSharedResource(Generic[T]):
    """A mixin that keeps `_shared` open inside `async with`."""

    _shared: SharedResource[T]

    async def __aenter__(self) -> Self:
        await self._shared.acquire()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._shared.release()

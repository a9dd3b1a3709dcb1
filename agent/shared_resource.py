"""What several runs share, for as long as one of them uses it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Generic, Self, TypeVar

from anyio import Lock
from anyio.lowlevel import RunVar

T = TypeVar("T")


@dataclass
class _Open(Generic[T]):
    """A thing that is open, or is being opened under the lock."""

    lock: Lock = field(default_factory=Lock)
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    things: list[T] = field(default_factory=list[T])
    users: int = 0


class SharedResource(Generic[T]):
    """One thing per event loop: opened by its first user, closed by its last.

    So an engine serves many runs at once over one pool of connections, and `run_sync` may be
    called again and again, each time in an event loop of its own.
    """

    def __init__(self, opening: Callable[[], AbstractAsyncContextManager[T]]) -> None:
        self._opening = opening
        self._open = RunVar[_Open[T] | None](f"ossia_shared_{id(self)}", None)

    async def acquire(self) -> T:
        """Take the thing; each taking is followed by one `release`."""
        entry = self._open.get()
        if entry is None:
            entry = _Open[T]()
            self._open.set(entry)
        entry.users += 1
        try:
            if not entry.things:
                async with entry.lock:
                    if not entry.things:
                        entry.things.append(await entry.stack.enter_async_context(self._opening()))
        except BaseException:
            await self.release()
            raise
        return entry.things[0]

    async def release(self) -> None:
        """Give the thing back; the last to do so closes it."""
        entry = self._open.get()
        assert entry is not None, "released what nobody holds"
        entry.users -= 1
        if entry.users == 0:
            self._open.set(None)
            await entry.stack.aclose()

    @asynccontextmanager
    async def use(self) -> AsyncGenerator[T]:
        """Hold the thing for a block."""
        thing = await self.acquire()
        try:
            yield thing
        finally:
            await self.release()


class UsesSharedResource(Generic[T]):
    """What keeps its `Shared` thing open inside its own `async with`."""

    _shared: SharedResource[T]

    async def __aenter__(self) -> Self:
        await self._shared.acquire()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._shared.release()

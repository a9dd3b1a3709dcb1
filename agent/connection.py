"""What several runs share while one of them uses it, and patience with a server that is away."""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import structlog
from anyio import Lock, current_time, sleep
from anyio.lowlevel import RunVar

from ..errors import EngineUnavailableError

log = structlog.get_logger()

T = TypeVar("T")

BACKOFF_S = (0.1, 5.0)
"""The first and the longest pause between two attempts, before jitter."""


class BrokenError(Exception):
    """An exchange that failed in a way that another attempt may mend."""


@dataclass
class _Open(Generic[T]):
    """A thing that is open, or is being opened under the lock."""

    lock: Lock = field(default_factory=Lock)
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    things: list[T] = field(default_factory=list[T])
    users: int = 0


class Shared(Generic[T]):
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


class Patience:
    """Waits between attempts, longer each time, until `seconds` have passed without progress."""

    def __init__(self, url: str, seconds: float) -> None:
        self._url = url
        self.restart(seconds)

    def restart(self, seconds: float) -> None:
        """There was progress: start counting anew."""
        self._seconds = seconds
        self._since = current_time()
        self._pause_s = BACKOFF_S[0]

    async def wait(self, broken: BrokenError) -> None:
        """Pause before the next attempt. Raises EngineUnavailableError when out of patience."""
        waited = current_time() - self._since
        if waited >= self._seconds:
            raise EngineUnavailableError(
                f"no engine at {self._url}: {broken}, for {waited:.0f} s. Start one with "
                "`ossia engine MODEL` (or `vllm serve openai/gpt-oss-20b`), or name another URL",
                url=self._url,
            ) from broken
        log.warning("engine_retried", url=self._url, reason=str(broken), waited_s=round(waited, 1))
        await sleep(self._pause_s * random.uniform(0.5, 1.0))
        self._pause_s = min(2 * self._pause_s, BACKOFF_S[1])

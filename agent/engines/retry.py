"""Retries for a server that is temporarily away."""

from __future__ import annotations

import random

import anyio

from ...errors import EngineUnavailableError
from ...sandbox import get_logger

log = get_logger("ossia.agent.engines")

PAUSE_S = (0.1, 5.0)
"""The first and the longest pause between two attempts, before jitter."""


class TransientError(Exception):
    """A request that failed in a way that another attempt may fix."""


class Backoff:
    """Waits longer after each failed attempt, until `seconds` have passed without progress."""

    def __init__(self, url: str, seconds: float) -> None:
        self._url = url
        self.restart(seconds)

    def restart(self, seconds: float) -> None:
        """Start counting again, because there was progress."""
        self._seconds = seconds
        self._since = anyio.current_time()
        self._pause_s = PAUSE_S[0]

    async def wait(self, error: TransientError) -> None:
        """Pause before the next attempt. Raises EngineUnavailableError when the time is up."""
        waited = anyio.current_time() - self._since
        if waited >= self._seconds:
            raise EngineUnavailableError(
                f"no engine at {self._url}: {error}, for {waited:.0f} s. Start one with "
                "`ossia engine MODEL` (or `vllm serve openai/gpt-oss-20b`), or name another URL",
                url=self._url,
            ) from error
        log.warning("engine_retried", url=self._url, reason=str(error), waited_s=round(waited, 1))
        await anyio.sleep(self._pause_s * random.uniform(0.5, 1.0))
        self._pause_s = min(2 * self._pause_s, PAUSE_S[1])

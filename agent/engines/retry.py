"""Backoff with a server that is away."""

from __future__ import annotations

import random

import structlog
from anyio import current_time, sleep

from ...errors import EngineUnavailableError

log = structlog.get_logger()

BACKOFF_S = (0.1, 5.0)
"""The first and the longest pause between two attempts, before jitter."""


class TransientError(Exception):
    """An exchange that failed in a way that another attempt may mend."""


class Backoff:
    """Waits between attempts, longer each time, until `seconds` have passed without progress."""

    def __init__(self, url: str, seconds: float) -> None:
        self._url = url
        self.restart(seconds)

    def restart(self, seconds: float) -> None:
        """There was progress: start counting anew."""
        self._seconds = seconds
        self._since = current_time()
        self._pause_s = BACKOFF_S[0]

    async def wait(self, broken: TransientError) -> None:
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

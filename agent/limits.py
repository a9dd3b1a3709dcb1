"""What one run may use, and the meter that holds it to that."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass, replace
from typing import TypeVar

from anyio import current_time, move_on_after

from ..errors import LimitExceeded
from .engine import Sampling
from .result import Usage

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one run may use; None is no limit."""

    steps: int | None = 50
    """Turns of the model."""
    tool_calls: int | None = None
    tokens: int | None = None
    """Sampled tokens, all turns together."""
    seconds: float | None = None
    """Wall-clock seconds from the start of the run."""


class Meter:
    """Adds up what a run uses. Whatever would go beyond its limits raises LimitExceeded."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._began = current_time()
        self.usage = Usage()
        self.step_usage = Usage()

    @property
    def seconds(self) -> float:
        """Wall-clock seconds since the run began."""
        return current_time() - self._began

    def add(self, usage: Usage) -> None:
        """Add to what the run has used, and to what its current step has."""
        self.usage += usage
        self.step_usage += usage

    def begin_step(self) -> None:
        """Count the step anew. Raises if the model may have no further turn."""
        self.step_usage = Usage()
        _check("steps", self.usage.steps, self._limits.steps, "turns")
        _check("tokens", self.usage.sampled_tokens, self._limits.tokens, "sampled tokens")

    def check_call(self) -> None:
        """Raise if no further tool may be called."""
        _check("tool_calls", self.usage.tool_calls, self._limits.tool_calls, "tool calls")

    def ration(self, sampling: Sampling) -> Sampling:
        """`sampling` with no more tokens than are left, and a seed of its own for each turn."""
        seed = None if sampling.seed is None else sampling.seed + self.usage.steps
        if self._limits.tokens is None:
            return replace(sampling, seed=seed)
        left = self._limits.tokens - self.usage.sampled_tokens
        most = left if sampling.max_tokens is None else min(left, sampling.max_tokens)
        return replace(sampling, seed=seed, max_tokens=most)

    async def within(self, work: Awaitable[T]) -> T:
        """Await `work` for as long as the run's wall-clock limit allows."""
        limit = self._limits.seconds
        with move_on_after(None if limit is None else limit - self.seconds):
            return await work
        raise LimitExceeded(
            f"the run took longer than its {limit:g} s; raise Limits.seconds or shorten the task",
            limit="seconds",
        )


def _check(field: str, used: int, limit: int | None, unit: str) -> None:
    if limit is not None and used >= limit:
        raise LimitExceeded(
            f"the run has used its {limit} {unit}; raise Limits.{field} or shorten the task",
            limit=field,
        )

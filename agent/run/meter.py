"""Holds a run to its limits."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import replace
from time import monotonic
from typing import TypeVar

from anyio import move_on_after

from ...errors import LimitExceeded
from ..engines import Sampling
from ..limits import Limits
from .state import State

T = TypeVar("T")

REPEATS = "calls in a row that brought nothing new"


class Meter:
    """Holds a run to its limits: whatever would go beyond them raises LimitExceeded.

    Once the run owes its last answer, only that one's allowance counts.
    """

    def __init__(self, limits: Limits, state: State) -> None:
        self._limits = limits
        self._state = state
        self.start()

    def start(self) -> None:
        """Let the clock go on from where the records end: the time between was not this run's."""
        self._began = monotonic() - self._state.seconds

    @property
    def seconds(self) -> float:
        """Wall-clock seconds that the run has been worked on."""
        return monotonic() - self._began

    def check_turn(self) -> None:
        """Raise if the model may have no further turn."""
        if self._state.limit is None:
            used = self._state.spent
            _check("steps", used.steps, self._limits.steps, "turns")
            _check("tokens", used.sampled_tokens, self._limits.tokens, "sampled tokens")
            _check("repeats", self._state.stale, 2 * (self._limits.repeats or 0) or None, REPEATS)

    def check_call(self, tool: str) -> None:
        """Raise if this tool may not be called any more."""
        limits, state = self._limits, self._state
        _check("tool_calls", state.spent.tool_calls, limits.tool_calls, "tool calls")
        _check("calls_of", state.calls[tool], limits.calls_of.get(tool), f"calls of {tool}")

    def nudge(self, trace: str) -> str:
        """What to tell the model with an answer of this trace, if it goes round in circles."""
        stale = self._state.stale + 1 if trace in self._state.seen else 0
        if not self._limits.repeats or stale < self._limits.repeats:
            return ""
        return (
            f"(The last {stale} calls brought nothing new: the same calls as before, the same "
            "answers. Do something else, or answer with what you know.)"
        )

    def ration(self, sampling: Sampling) -> Sampling:
        """`sampling` with no more tokens than are left, and a seed of its own for each turn."""
        used = self._state.usage
        seed = None if sampling.seed is None else sampling.seed + used.steps
        left = [] if sampling.max_tokens is None else [sampling.max_tokens]
        if self._state.limit is not None:
            left.append(self._limits.answer_tokens)
        elif self._limits.tokens is not None:
            left.append(self._limits.tokens - self._state.spent.sampled_tokens)
        return replace(sampling, seed=seed, max_tokens=min(left, default=None))

    def ration_aside(self, sampling: Sampling) -> Sampling:
        """`sampling` for a question that is no part of the run, a summary say."""
        most = self._limits.answer_tokens
        left = most if sampling.max_tokens is None else min(most, sampling.max_tokens)
        return replace(sampling, max_tokens=left, grammar=None)

    async def within(self, work: Awaitable[T]) -> T:
        """Await `work` for as long as the run's wall-clock limit allows."""
        limit = self._limits.seconds
        if limit is None:
            return await work
        most = limit if self._state.limit is None else limit + self._limits.answer_s
        with move_on_after(most - (self.seconds - self._state.asked_s)):
            return await work
        raise LimitExceeded(
            f"the run took longer than its {most:g} s; raise Limits.seconds or shorten the task",
            limit="seconds",
        )


def _check(name: str, used: int, limit: int | None, unit: str) -> None:
    if limit is not None and used >= limit:
        raise LimitExceeded(
            f"the run has used its {limit} {unit}; raise Limits.{name} or shorten the task",
            limit=name,
        )

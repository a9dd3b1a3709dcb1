"""Holds a run to its limits."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from time import monotonic

import anyio

from ...errors import LimitExceeded
from ..engines import Sampling
from ..limits import Limits
from .state import RunState


class Meter:
    """Measures a run and raises LimitExceeded where it would exceed a limit.

    Once a limit forces the run's last answer, only that answer's own allowance counts.
    """

    def __init__(self, limits: Limits, state: RunState) -> None:
        self._limits = limits
        self._state = state
        self.start()

    def start(self) -> None:
        """Continue the clock where the records end; the time in between does not count."""
        self._started = monotonic() - self._state.spending.seconds

    @property
    def seconds(self) -> float:
        """Wall-clock seconds that the run was worked on."""
        return monotonic() - self._started

    def check_turn(self) -> None:
        """Raise LimitExceeded if the model may not have another turn."""
        if self._state.position.limit is None:
            spending = self._state.spending
            _check("steps", spending.counted.steps, self._limits.steps, "turns")
            tokens = spending.counted.sampled_tokens
            _check("tokens", tokens, self._limits.tokens, "sampled tokens")
            repeats = 2 * (self._limits.repeats or 0) or None
            _check("repeats", spending.repeats, repeats, "repeated calls in a row")

    def check_call(self, tool: str) -> None:
        """Raise LimitExceeded if this tool may not be called again."""
        limits, spending = self._limits, self._state.spending
        _check("tool_calls", spending.counted.tool_calls, limits.tool_calls, "tool calls")
        _check("calls_of", spending.calls[tool], limits.calls_of.get(tool), f"calls of {tool}")

    def repeat_notice(self, fingerprint: str) -> str:
        """Return what the model reads after a result, if its calls repeat themselves; else ""."""
        spending = self._state.spending
        repeats = spending.repeats + 1 if fingerprint in spending.fingerprints else 0
        if not self._limits.repeats or repeats < self._limits.repeats:
            return ""
        return (
            f"(The last {repeats} calls repeated earlier calls and got the same results. "
            "Try something else, or answer with what you know.)"
        )

    def cap_tokens(self, sampling: Sampling) -> Sampling:
        """Return `sampling` with no more tokens than are left, and with the turn's own seed."""
        spending = self._state.spending
        seed = None if sampling.seed is None else sampling.seed + spending.usage.steps
        left = [] if sampling.max_tokens is None else [sampling.max_tokens]
        if self._state.position.limit is not None:
            left.append(self._limits.answer_tokens)
        elif self._limits.tokens is not None:
            left.append(self._limits.tokens - spending.counted.sampled_tokens)
        return replace(sampling, seed=seed, max_tokens=min(left, default=None))

    def cap_summary(self, sampling: Sampling) -> Sampling:
        """Return `sampling` for a question that is not part of the run, such as a summary."""
        maximum = self._limits.answer_tokens
        tokens = maximum if sampling.max_tokens is None else min(maximum, sampling.max_tokens)
        return replace(sampling, max_tokens=tokens)

    @contextmanager
    def with_deadline(self) -> Generator[None]:
        """Cancel what runs in the block when the run's time is up, and raise LimitExceeded."""
        limit = self._limits.seconds
        if limit is None:
            yield
            return
        is_last_answer = self._state.position.limit is not None
        seconds = limit + self._limits.answer_s if is_last_answer else limit
        left = seconds - (self.seconds - self._state.spending.asked_s)
        with anyio.move_on_after(left) as scope:
            yield
        if scope.cancelled_caught:
            raise LimitExceeded(
                f"the run took longer than its {seconds:g} s; raise Limits.seconds or shorten the "
                "task",
                limit="seconds",
            )


def _check(name: str, used: int, limit: int | None, unit: str) -> None:
    if limit is not None and used >= limit:
        raise LimitExceeded(
            f"the run has used its {limit} {unit}; raise Limits.{name} or shorten the task",
            limit=name,
        )

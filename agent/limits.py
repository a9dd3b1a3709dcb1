"""What one run may use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one run may use; None is no limit."""

    steps: int | None = 50
    """Turns of the model."""
    tool_calls: int | None = None
    calls_of: Mapping[str, int] = field(default_factory=dict[str, int])
    """Calls of single tools: `{"python": 10, "functions.search": 3}`."""
    tokens: int | None = None
    """Sampled tokens, all turns together."""
    seconds: float | None = None
    """Wall-clock seconds that the run is worked on, waiting for its engine and tools included; the
    time before it is resumed is not."""
    repeats: int | None = 3
    """How many calls in a row may bring nothing new: the same call as before, the same answer. Then
    the model is told so; after twice as many the run is at its limit."""
    then: Literal["raise", "answer"] = "raise"
    """At a limit, raise LimitExceeded, or have the model answer with what it knows by then; the
    result names the limit."""
    answer_tokens: int = 2048
    """What that last answer may take beyond `tokens`."""
    answer_s: float = 120.0
    """What it may take beyond `seconds`."""

"""Limits of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ..tools import document_fields
from .settings import check_choice, check_number, check_type


@document_fields
@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one run may use. None means no limit. In a chat, limits apply to each user message."""

    steps: int | None = 50
    """Maximum number of turns of the model."""
    tool_calls: int | None = None
    """Maximum number of tool calls."""
    calls_of: Mapping[str, int] = field(default_factory=dict[str, int])
    """Maximum number of calls by tool: `{"python": 10, "functions.search": 3}`."""
    tokens: int | None = None
    """Maximum number of sampled tokens, summed over all turns."""
    seconds: float | None = None
    """Maximum wall-clock seconds of work on the run, including waits for the engine and the tools.
    Time between an interruption and `resume` does not count."""
    repeats: int | None = 3
    """Number of consecutive tool calls that only repeat an earlier call and its result, after which
    the model reads a notice. After twice as many, the run reaches this limit."""
    then: Literal["raise", "answer"] = "raise"
    """What happens at a limit: `raise` raises LimitExceeded; `answer` asks the model for an answer
    based on what it knows, and `RunResult.limit` names the limit."""
    answer_tokens: int = 2048
    """Maximum number of tokens of that answer, in addition to `tokens`; also of a summary that the
    context policy asks for."""
    answer_s: float = 120.0
    """Maximum number of seconds for that answer, in addition to `seconds`."""

    def __post_init__(self) -> None:
        none = "no limit"
        for name, least in {"steps": 1, "tool_calls": 0, "tokens": 1, "repeats": 1}.items():
            value = getattr(self, name)
            check_number(f"Limits({name}=...)", value, least=least, none_means=none)
        seconds = "Limits(seconds=...)"
        check_number(seconds, self.seconds, least=0.001, whole=False, none_means=none)
        check_type("Limits(calls_of=...)", self.calls_of, Mapping, 'write {"python": 10}')
        for tool, count in self.calls_of.items():
            check_number(f"Limits(calls_of={{{tool!r}: ...}})", count, least=0)
        check_choice("Limits(then=...)", self.then, ("raise", "answer"))
        check_number("Limits(answer_tokens=...)", self.answer_tokens, least=1)
        check_number("Limits(answer_s=...)", self.answer_s, least=0.001, whole=False)

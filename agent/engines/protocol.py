"""The interface between a run and whatever samples tokens."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

from ...errors import ContextLengthError
from ...harmony import ToolNamespace
from ...tools import document_fields
from ..settings import check_number


@document_fields
@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How turns are sampled: what a user sets. The defaults are those gpt-oss was released with."""

    max_tokens: int | None = None
    """Maximum number of tokens in one turn; None uses what is left of the model's window."""
    temperature: float = 1.0
    """From 0, always the likeliest token, to 2."""
    top_p: float = 1.0
    """Sample from the likeliest tokens, whose probabilities add up to this."""
    seed: int | None = None
    """Makes turns repeatable, as far as the engine supports it."""

    def __post_init__(self) -> None:
        check_number(
            "Sampling(max_tokens=...)", self.max_tokens, least=1, none_means="what is left"
        )
        check_number("Sampling(temperature=...)", self.temperature, least=0, most=2, whole=False)
        check_number("Sampling(top_p=...)", self.top_p, least=0.001, most=1, whole=False)
        check_number("Sampling(seed=...)", self.seed, least=-math.inf, none_means="any")


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnRequest:
    """One turn, as the loop requests it from an engine."""

    prompt: Sequence[int] = field(repr=False)
    """Token ids, shape (n,). They end where the assistant's turn begins."""
    sampling: Sampling = Sampling()
    grammar: str | None = field(default=None, repr=False)
    """The grammar that the turn must match, from `harmony.turn_grammar`. An engine without grammars
    ignores it: whatever it samples is still parsed and validated."""
    reasoning_budget: int | None = None
    """Maximum number of reasoning tokens. A grammar contains it; without one, an engine may enforce
    it itself."""
    tools: Sequence[ToolNamespace] = field(default=(), repr=False)
    """What the model can call in this turn, with complete schemas: a grammar has only what it can
    express of them. A namespace without tools takes plain text."""
    output_schema: Mapping[str, Any] | bool | None = field(default=None, repr=False)
    """The complete JSON Schema of the answer; None for free text."""
    run_id: str = ""
    """The run that the turn belongs to, for logs and for the engine's own tracing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """A piece of a turn, as it comes from the engine."""

    tokens: tuple[int, ...] = ()
    """Newly sampled token ids, including the stop token; shape (n,), n may be 0."""
    finish: Literal["stop", "length"] | None = None
    """Why the turn ended; None while it continues."""
    cached_tokens: int | None = None
    """Number of prompt tokens served from the engine's prefix cache; None if unknown."""


@runtime_checkable
class Engine(Protocol):
    """Token ids in, token ids out, as they are sampled.

    An engine that is also an async context manager is entered once per run and may keep its
    connections open that long.
    """

    def generate(self, request: TurnRequest) -> AsyncGenerator[Sampled]:
        """Sample one turn until `<|return|>`, `<|call|>` or the token limit.

        Closing the generator stops the engine's work on the turn. Raises EngineError.
        """
        ...


def max_new_tokens(
    prompt_tokens: int, window: int, max_tokens: int | None, *, url: str = ""
) -> int:
    """Return how many tokens a turn may have: what the prompt leaves of the window.

    window: tokens of prompt and turn together.
    max_tokens: the user's own maximum, if any.
    url: where the model is served, for the error.

    Raises ContextLengthError if the prompt leaves no room.
    """
    left = window - prompt_tokens
    if left <= 0:
        raise ContextLengthError(
            f"the prompt has {prompt_tokens} tokens and the model's window is {window}: "
            "shorten the task or the tools' output, or serve with a larger --max-model-len",
            url=url,
            prompt_tokens=prompt_tokens,
            window=window,
        )
    return left if max_tokens is None else min(left, max_tokens)

"""The seam between the loop and whatever samples tokens."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How one turn is sampled. The defaults are those gpt-oss was published with."""

    max_tokens: int | None = None
    """Tokens of the turn at the most; None is what the model's window leaves."""
    temperature: float = 1.0
    top_p: float = 1.0
    seed: int | None = None
    """Makes a turn repeatable, as far as the engine can."""
    reasoning_budget: int | None = None
    """Tokens of reasoning in the turn; the loop sets it. A grammar holds the turn to it; where none
    does, an engine may."""
    grammar: Mapping[str, Any] | None = field(default=None, repr=False)
    """What the turn is held to, as `harmony.turn_grammar` writes it; the loop sets it. An engine
    that knows no grammars ignores it: what it samples is parsed and validated all the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """A piece of a turn as it comes from the engine."""

    tokens: tuple[int, ...] = ()
    """Newly sampled ids, the stop token among them; shape (n,), n may be 0."""
    finish: Literal["stop", "length"] | None = None
    """Why the turn ended; None while it goes on."""
    cached_tokens: int | None = None
    """How much of the prompt the engine's prefix cache served; None where it does not say."""


class Engine(Protocol):
    """Token ids in, token ids out, as they are sampled.

    An engine that is also an async context manager is entered once per run, and may keep its
    connections open for as long.
    """

    def generate(self, prompt: Sequence[int], sampling: Sampling) -> AsyncGenerator[Sampled]:
        """Sample one turn after `prompt`, shape (n,), until `<|return|>`, `<|call|>` or the limit.

        Closing the generator stops the engine's work on the turn. Raises EngineError.
        """
        ...

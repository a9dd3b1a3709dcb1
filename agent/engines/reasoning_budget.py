"""A reasoning budget for turns that no grammar constrains.

The turn is watched while it is sampled. When its reasoning has used the budget, that message is
ended, the next header is started for the model, and sampling continues from there. On the first
overrun the model chooses the next channel; on the second it must answer.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from functools import cache

from ...harmony import decode, special
from ...harmony.rendering import answer_header, generation_prefix
from .protocol import Engine, Sampled, TurnRequest


@cache
def _next_message() -> tuple[int, ...]:
    """Return the tokens that end a message and open the header of the next one."""
    return (special.END, *generation_prefix("assistant"))


async def enforce_reasoning_budget(engine: Engine, request: TurnRequest) -> AsyncGenerator[Sampled]:
    """Sample a turn whose reasoning stays within `request.reasoning_budget`.

    engine: samples without regard to the budget. The tokens that are written for the model are part
        of the turn.
    """
    assert request.reasoning_budget is not None, "called only for turns with a budget"
    tracker = BudgetTracker(request.reasoning_budget)
    tokens = list(request.prompt)
    left = max_tokens = request.sampling.max_tokens
    start = len(tokens)
    for forced in ((*_next_message(), special.CHANNEL), (*_next_message(), *answer_header()), ()):
        sampling = replace(request.sampling, max_tokens=left)
        turn = engine.generate(replace(request, prompt=tuple(tokens), sampling=sampling))
        async with aclosing(turn) as pieces:
            async for piece in pieces:
                accepted = tracker.accept(piece.tokens) if forced else piece.tokens
                tokens.extend(accepted)
                if len(accepted) < len(piece.tokens):
                    yield Sampled(tokens=accepted)
                    break
                yield piece
            else:
                return
        written = forced[: _tokens_left(max_tokens, len(tokens) - start)]
        tokens.extend(written)
        tracker.accept(written)
        left = _tokens_left(max_tokens, len(tokens) - start)
        yield Sampled(tokens=written, finish="length" if left == 0 else None)
        if left == 0:
            return


def _tokens_left(max_tokens: int | None, used: int) -> int | None:
    """Return how many tokens the turn may still have; None means no limit."""
    return None if max_tokens is None else max(0, max_tokens - used)


@dataclass
class BudgetTracker:
    """Follows the messages of a turn and counts the tokens of its reasoning."""

    left: int
    """Reasoning tokens that are left."""
    header: list[int] | None = field(default_factory=list[int])
    """The header being read; None inside a message."""
    is_reasoning: bool = False
    """Whether the message being read is reasoning."""

    def accept(self, tokens: Sequence[int]) -> tuple[int, ...]:
        """Return the tokens up to the point where the budget is used up."""
        for count, token in enumerate(tokens):
            if self.is_reasoning and self.left <= 0 and token != special.END:
                return tuple(tokens[:count])
            self._read(token)
        return tuple(tokens)

    def _read(self, token: int) -> None:
        if token in {special.END, special.START}:
            self.header, self.is_reasoning = [], False
        elif self.header is None:
            self.left -= self.is_reasoning
        elif token == special.MESSAGE:
            header = decode(self.header)
            self.is_reasoning = "<|channel|>analysis" in header and "to=" not in header
            self.header = None
        else:
            self.header.append(token)

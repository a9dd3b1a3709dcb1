"""A budget of reasoning where no grammar holds a turn to it.

The turn is watched while it is sampled. When its reasoning has used the budget, that message is
ended, the next header is begun for the model, and sampling goes on from there: after the first
time the model may choose what follows, after the second it is the answer.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from functools import cache

from ...harmony import decode
from ...harmony.format import special
from ...harmony.rendering import answer_header, generation_prefix
from .protocol import Sampled, Sampling

Turn = Callable[[Sequence[int], Sampling], AsyncGenerator[Sampled]]


@cache
def ending() -> tuple[int, ...]:
    """Ends a message, and opens the header of another."""
    return (special.END, *generation_prefix("assistant"))


async def enforce_reasoning_budget(
    turn: Turn, prompt: Sequence[int], sampling: Sampling
) -> AsyncGenerator[Sampled]:
    """Sample a turn whose reasoning keeps within `sampling.reasoning_budget`.

    turn: samples without regard to the budget. What is written for the model is among the tokens.
    """
    assert sampling.reasoning_budget is not None
    watch = BudgetTracker(sampling.reasoning_budget)
    tape = list(prompt)
    left = sampling.max_tokens
    for forced in ((*ending(), special.CHANNEL), (*ending(), *answer_header()), ()):
        async with aclosing(turn(tape, replace(sampling, max_tokens=left))) as pieces:
            async for piece in pieces:
                kept = watch.keep(piece.tokens) if forced else piece.tokens
                tape.extend(kept)
                if len(kept) < len(piece.tokens):
                    yield Sampled(tokens=kept)
                    break
                yield piece
            else:
                return
        written = forced[: _left(sampling, len(tape) - len(prompt))]
        tape.extend(written)
        watch.keep(written)
        left = _left(sampling, len(tape) - len(prompt))
        yield Sampled(tokens=written, finish="length" if left == 0 else None)
        if left == 0:
            return


def _left(sampling: Sampling, used: int) -> int | None:
    """Tokens that the turn may still have; None is no limit."""
    return None if sampling.max_tokens is None else max(0, sampling.max_tokens - used)


@dataclass
class BudgetTracker:
    """Follows the messages of a turn, and counts the tokens of its reasoning."""

    budget: int
    header: list[int] | None = field(default_factory=list[int])
    """The header that is being read; None inside a message."""
    reasons: bool = False
    """Whether the message that is being read is reasoning."""

    @property
    def spent(self) -> bool:
        """Whether reasoning goes on, and nothing is left for it."""
        return self.reasons and self.budget <= 0

    def keep(self, tokens: Sequence[int]) -> tuple[int, ...]:
        """The tokens up to where the budget is spent."""
        for count, token in enumerate(tokens):
            if self.spent and token != special.END:
                return tuple(tokens[:count])
            self._take(token)
        return tuple(tokens)

    def _take(self, token: int) -> None:
        if token in {special.END, special.START}:
            self.header, self.reasons = [], False
        elif self.header is None:
            self.budget -= self.reasons
        elif token == special.MESSAGE:
            words = decode(self.header)
            self.reasons = "<|channel|>analysis" in words and "to=" not in words
            self.header = None
        else:
            self.header.append(token)

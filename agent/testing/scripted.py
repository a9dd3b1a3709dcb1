"""A model from a script: for tests of an agent without any model."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence

from ...harmony import STOP_TOKENS, decode, encode
from ...harmony.format import special
from ..engines import Sampled, Sampling

_IDS = {name: token for token, name in special.NAMES.items()}
_CONTROL = re.compile(r"(<\|\w+\|>)")

Turn = str | Sequence[int] | Exception
"""Harmony text that begins after `<|start|>assistant`, or token ids, or what the engine raises."""


class ScriptedEngine:
    """An engine that plays turns from a script, and remembers what it was asked.

    turns: each is harmony text that begins after `<|start|>assistant`, or token ids; an exception
        is raised in its turn; a function is given the prompt as text, and returns the turn, so it
        is the place to assert what the model is told.
    chunk: how many tokens it hands out at a time.
    window: of the model it plays, in tokens; None is no end.

        engine = ScriptedEngine(["<|channel|>final<|message|>Hello!<|return|>"])
        assert Agent(engine).run_sync("Hi").output == "Hello!"
    """

    def __init__(
        self,
        turns: Iterable[Turn | Callable[[str], Turn]],
        *,
        chunk: int = 1,
        window: int | None = None,
    ) -> None:
        self._turns = iter(turns)
        self._chunk = chunk
        self._window = window
        self.prompts: list[list[int]] = []
        """What it was asked, a list of token ids for each turn."""
        self.samplings: list[Sampling] = []

    async def window(self) -> int | None:
        """Tokens of prompt and turn together."""
        return self._window

    async def generate(self, prompt: Sequence[int], sampling: Sampling) -> AsyncGenerator[Sampled]:
        """Play the next turn, cut where `sampling.max_tokens` says."""
        self.prompts.append(list(prompt))
        self.samplings.append(sampling)
        turn = next(self._turns, None)
        assert turn is not None, f"the script has no turn number {len(self.prompts)}"
        if callable(turn):
            turn = turn(decode(prompt))
        if isinstance(turn, Exception):
            raise turn
        tokens = harmony_tokens(turn) if isinstance(turn, str) else list(turn)
        kept = tokens[: sampling.max_tokens]
        for at in range(0, len(kept), self._chunk):
            yield Sampled(tokens=tuple(kept[at : at + self._chunk]))
        stopped = bool(kept) and kept[-1] in STOP_TOKENS
        yield Sampled(finish="stop" if stopped or kept == tokens else "length", cached_tokens=0)


def harmony_tokens(text: str) -> list[int]:
    """The tokens of harmony text in which `<|start|>` and its kin mean the control tokens.

    For scripts and tests alone: text from elsewhere must never be read so.
    """
    tokens: list[int] = []
    for part in _CONTROL.split(text):
        tokens += [_IDS[part]] if part in _IDS else encode(part)
    return tokens

"""An engine that plays turns from a script, for tests without a model."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from typing import Literal

from ...harmony import STOP_TOKENS, decode
from ..engines import Sampled, TurnRequest
from .turns import harmony_tokens

ScriptedTurn = str | Sequence[int] | Exception
"""Harmony text that begins after `<|start|>assistant`, or token ids, or what the engine raises."""

_SHOWN_TOKENS = 200
"""How many tokens of the prompt the error shows if the script is too short."""


class ScriptedEngine:
    """An engine that plays turns from a script and remembers its requests.

    turns: made by `call_turn`, `python_turn` and `answer_turn`; or harmony text that begins after
        `<|start|>assistant`; or token ids. An exception is raised in its turn. A function receives
        the prompt as text and returns the turn, so it can assert what the model is told.
    chunk: how many tokens it yields at a time.
    window: the window of the model that it plays, in tokens; None is unlimited.

        engine = ScriptedEngine([call_turn("add", a=2, b=3), answer_turn("5")])
        assert Agent(engine, tools=[add]).run_sync("2 + 3?").output == "5"
    """

    def __init__(
        self,
        turns: Iterable[ScriptedTurn | Callable[[str], ScriptedTurn]],
        *,
        chunk: int = 1,
        window: int | None = None,
    ) -> None:
        self._turns = iter(turns)
        self._chunk = chunk
        self._window = window
        self.requests: list[TurnRequest] = []

    @property
    def prompts(self) -> list[list[int]]:
        """The prompts of the requests, each a list of token ids."""
        return [list(request.prompt) for request in self.requests]

    async def window(self) -> int | None:
        """Return the window in tokens; None is unlimited."""
        return self._window

    async def generate(self, request: TurnRequest) -> AsyncGenerator[Sampled]:
        """Play the next turn, up to the request's maximum number of tokens."""
        self.requests.append(request)
        turn = next(self._turns, None)
        if turn is None:
            raise AssertionError(
                f"the script does not have turn {len(self.requests)}. The prompt ends with:\n"
                + decode(request.prompt[-_SHOWN_TOKENS:])
            )
        if callable(turn):
            turn = turn(decode(request.prompt))
        if isinstance(turn, Exception):
            raise turn
        if isinstance(turn, str) and turn and "<|" not in turn:
            raise AssertionError(
                f"turn {len(self.requests)} of the script is {turn!r}, which is not harmony: "
                "write answer_turn(...), or call_turn(...)"
            )
        tokens = harmony_tokens(turn) if isinstance(turn, str) else list(turn)
        for piece in pieces_of(tokens, request, chunk=self._chunk):
            yield piece


def pieces_of(tokens: Sequence[int], request: TurnRequest, *, chunk: int = 1) -> Iterator[Sampled]:
    """Yield a turn as an engine samples it, up to the request's maximum number of tokens.

    chunk: how many tokens each piece has.
    """
    sampled = tokens[: request.sampling.max_tokens]
    for at in range(0, len(sampled), chunk):
        yield Sampled(tokens=tuple(sampled[at : at + chunk]))
    has_stopped = bool(sampled) and sampled[-1] in STOP_TOKENS
    finish: Literal["stop", "length"]
    finish = "stop" if has_stopped or len(sampled) == len(tokens) else "length"
    yield Sampled(finish=finish, cached_tokens=0)

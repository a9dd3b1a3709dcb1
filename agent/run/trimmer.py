"""Keeps a run's prompt within its model's window."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace
from itertools import islice
from typing import Any, NamedTuple

from ...errors import ContextLengthError
from ...harmony import Message, parse
from ...harmony.rendering import answer_header
from ..config import AgentConfig
from ..context import Context, Windowed
from ..engines import Sampled
from ..journal import ContextTrimmed
from ..usage import Usage
from .recorder import RunRecorder
from .turn import Turn


class Trimmed(NamedTuple):
    """Tokens of the prompt, before and after."""

    before: int
    after: int


class Trimmer:
    """Asks the agent's policy what the model need not be shown, and writes it down."""

    def __init__(self, agent: AgentConfig[Any], book: RunRecorder) -> None:
        self._agent = agent
        self._book = book
        self._engine = agent.engine if isinstance(agent.engine, Windowed) else None
        self._aside = Usage()

    async def make_room(self) -> Trimmed | None:
        """Show the model less of the run, where the prompt leaves no room for a turn.

        Raises ContextLengthError if there is none then, either.
        """
        policy, state = self._agent.context, self._book.state
        window = await self._engine.window() if self._engine else None
        if policy is None or window is None:
            return None
        before, most = state.shown.count, window - policy.reserve(window)
        if before <= most:
            return None
        changes = await policy.trim(self._context(window))
        if changes or self._aside != Usage():
            at_s, aside = self._book.meter.seconds, self._aside
            self._aside = Usage()
            trimmed = ContextTrimmed(
                at_s=at_s, replacements=dict(changes), read_tool=state.read_tool, usage=aside
            )
            await self._book.record(trimmed)
        after = state.shown.count
        if after > most:
            raise ContextLengthError(
                f"the prompt has {after} tokens, and {most} is the most that a window of {window} "
                "takes if it is to leave room for a turn: shorten the task, let the tools answer "
                "briefly, or serve with a larger --max-model-len",
                url="",
                prompt_tokens=after,
                window=window,
            )
        return Trimmed(before, after)

    def _context(self, window: int) -> Context:
        state = self._book.state
        messages = tuple(state.transcript.messages)
        sizes = iter(state.shown.sizes)
        counts = (len(state.shown_for.get(at, (0,))) for at in range(len(messages)))
        return Context(
            messages=messages,
            sizes=tuple(sum(islice(sizes, count)) for count in counts),
            opening_count=len(state.opening),
            replacements=state.replaced,
            window=window,
            ask=self._ask,
            read_tool=state.read_tool,
        )

    async def _ask(self, question: str) -> str:
        """The model's answer to a question about all it is shown; the run does not hold it."""
        aside = self._book.state.shown.fork()
        aside.append(Message("user", question))
        prompt = [*aside.prompt(), *answer_header()]
        turn = Turn((), len(prompt))
        turn.read(Sampled(tokens=answer_header()))
        sampling = self._book.meter.ration_aside(self._agent.sampling)
        async with aclosing(self._agent.engine.generate(prompt, sampling)) as pieces:
            while not turn.over:
                piece = await self._book.meter.within(anext(pieces, None))
                if piece is None:
                    break
                turn.read(piece)
        self._aside += replace(turn.usage, steps=0, resamples=0)
        said = parse(turn.tokens)
        if not said or not said[-1].text:
            raise ContextLengthError(
                f"the model said nothing when it was asked to sum up {len(prompt)} tokens of work: "
                "raise TrimContext.reserve_tokens, or serve with a larger --max-model-len",
                url="",
                prompt_tokens=len(prompt),
                window=None,
            )
        return said[-1].text

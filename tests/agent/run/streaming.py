"""An agent with one tool, and helpers that consume its stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import anyio

from ossia.agent import Agent, AnswerDelta, Event, RunStream, Sampled, TurnRequest
from ossia.agent.testing import ScriptedEngine, answer_turn, call_turn

TURNS = [call_turn("add", a=2, b=3, reasoning="Let me add."), answer_turn("It is 5.")]


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def make_agent(turns: Sequence[Any] = TURNS, *, chunk: int = 1, **options: Any) -> Agent[str]:
    return Agent(ScriptedEngine(turns, chunk=chunk), tools=[add], **options)


def kinds(events: Sequence[Event]) -> list[str]:
    """Return the kinds of events; a row of deltas of one kind counts once."""
    found = [event.kind for event in events]
    return [kind for at, kind in enumerate(found) if at == 0 or found[at - 1] != kind]


class WaitingEngine(ScriptedEngine):
    """Samples the beginning of an answer, waits until `resume` is set, and samples the rest."""

    def __init__(self) -> None:
        super().__init__([])
        self.is_waiting = anyio.Event()
        self.resume = anyio.Event()
        self.was_closed = False

    async def generate(self, request: TurnRequest) -> AsyncGenerator[Sampled]:
        try:
            tokens = answer_turn("It is 5.")
            yield Sampled(tokens=tuple(tokens[:5]))
            self.is_waiting.set()
            await self.resume.wait()
            yield Sampled(tokens=tuple(tokens[5:]), finish="stop")
        finally:
            self.was_closed = True


async def consume(agent: Agent[Any], events: list[Event] | None = None) -> None:
    """Stream a run to its end; add its events to a list."""
    async with agent.stream("2 + 3?") as run:
        async for event in run:
            if events is not None:
                events.append(event)


async def take_first_delta(run: RunStream[Any]) -> None:
    """Take events up to the first piece of the answer."""
    async for event in run:
        if isinstance(event, AnswerDelta):
            return


def running_tasks() -> set[asyncio.Task[Any]]:
    return asyncio.all_tasks()

"""The description of an agent, and the ways to run it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass
from functools import partial
from typing import Any

import anyio

from ..harmony import Message
from .events import Event, RunFinished
from .loop import Run
from .opening import begun, finished, forked, resumed, watched
from .result import RunResult
from .settings import OutputT, Settings

Task = str | Sequence[Message]
"""What the user asks, or a conversation that ends with it."""


@dataclass(frozen=True)
class Agent(Settings[OutputT]):
    """A model, its instructions and its tools. It is immutable, and serves many runs at once.

    agent = Agent(VLLMEngine("http://127.0.0.1:8000"), tools=[PythonTool()])
    result = agent.run_sync("What is 417 * 38?")
    print(result.output)
    """

    async def run(self, task: Task, *, deps: object = None) -> RunResult[OutputT]:
        """Work on a task until it is answered.

        deps: handed to the tools as `RunContext.deps`.

        Raises EngineError, LimitExceeded, OutputError, TurnError, or JournalError.
        """
        return await _result(self.stream(task, deps=deps))

    def run_sync(self, task: Task, *, deps: object = None) -> RunResult[OutputT]:
        """`run` for programs without an event loop."""
        return anyio.run(partial(self.run, task, deps=deps))

    def stream(
        self, task: Task, *, deps: object = None, about: Mapping[str, Any] | None = None
    ) -> AsyncGenerator[Event]:
        """`run`, told event by event as it happens; the last event is RunFinished.

        about: kept in the journal, for whoever resumes the run.

        Leaving the loop early ends the run. Wrap the generator in `contextlib.aclosing` to have
        its sandboxes and connections gone at that very moment.
        """
        return _told(begun(self, task, deps=deps, about=about))

    async def resume(self, run_id: str, *, deps: object = None) -> RunResult[OutputT]:
        """Go on with a run of the journal, where it was killed, cancelled or failed.

        A call that was answered is not made again. One that was under way is, if its tool is
        `idempotent`; otherwise the model is told that it was interrupted. A run that was answered
        gives its result again.

        Raises JournalError if the run is not there, was begun by another agent, or is taken over
        by another process meanwhile; and what `run` raises.
        """
        return await _result(self.stream_resumed(run_id, deps=deps))

    def stream_resumed(self, run_id: str, *, deps: object = None) -> AsyncGenerator[Event]:
        """`resume`, told event by event from where the run stopped."""
        return _told(resumed(self, run_id, deps=deps))

    async def fork(
        self, run_id: str, *, step: int | None = None, deps: object = None
    ) -> RunResult[OutputT]:
        """Begin a new run with the first steps of another one, and go on from there.

        This agent may have another engine, other tools, other limits than the one of that run.

        step: the last turn of the model that is kept, its call and answer included; None keeps all.
        """
        return await _result(_told(forked(self, run_id, step=step, deps=deps)))


async def _told(opened: AbstractAsyncContextManager[Run[Any]]) -> AsyncGenerator[Event]:
    """A run's events, from its opening to its result."""
    async with opened as run:
        async with watched(run), aclosing(run.events()) as events:
            async for event in events:
                yield event
        result = await finished(run)
        stamp = run.stamp
    yield RunFinished(**stamp, result=result)


async def _result(stream: AsyncGenerator[Event]) -> RunResult[Any]:
    """The result that a stream of events ends with."""
    async with aclosing(stream) as events:
        async for event in events:
            if isinstance(event, RunFinished):
                return event.result
    raise AssertionError("a run's last event is RunFinished")

"""The description of an agent, and the ways to run it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import anyio

from .config import AgentConfig, OutputT
from .events import Event
from .result import RunResult
from .run import Chat, Outcome, Task, begun, forked, outcomes, result_of, resumed, told


@dataclass(frozen=True)
class Agent(AgentConfig[OutputT]):
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
        return await result_of(self.stream(task, deps=deps))

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
        return told(begun(self, task, deps=deps, about=about))

    async def resume(self, run_id: str, *, deps: object = None) -> RunResult[OutputT]:
        """Go on with a run of the journal, where it was killed, cancelled or failed.

        A call that was answered is not made again. One that was under way is, if its tool is
        `idempotent`; otherwise the model is told that it was interrupted. A run that was answered
        gives its result again.

        Raises JournalError if the run is not there, was begun by another agent, or is taken over
        by another process meanwhile; and what `run` raises.
        """
        return await result_of(self.stream_resumed(run_id, deps=deps))

    def stream_resumed(self, run_id: str, *, deps: object = None) -> AsyncGenerator[Event]:
        """`resume`, told event by event from where the run stopped."""
        return told(resumed(self, run_id, deps=deps))

    async def fork(
        self, run_id: str, *, step: int | None = None, deps: object = None
    ) -> RunResult[OutputT]:
        """Begin a new run with the first steps of another one, and go on from there.

        This agent may have another engine, other tools, other limits than the one of that run.

        step: the last turn of the model that is kept, its call and answer included; None keeps all.
        """
        return await result_of(told(forked(self, run_id, step=step, deps=deps)))

    @asynccontextmanager
    async def chat(
        self, *, resume: str | None = None, deps: object = None
    ) -> AsyncGenerator[Chat[OutputT]]:
        """A conversation over one transcript, for as long as the block lasts.

        resume: the `run_id` of a chat in the journal, to go on with.
        """
        opened = begun(self, (), deps=deps) if resume is None else resumed(self, resume, deps=deps)
        async with opened as run:
            yield Chat(run)

    def run_many(
        self,
        tasks: Iterable[Task] | AsyncIterable[Task],
        *,
        concurrency: int = 16,
        ordered: bool = False,
        deps: object = None,
    ) -> AbstractAsyncContextManager[AsyncIterator[Outcome[OutputT]]]:
        """Work on many tasks at once; whatever a run ends with is its own outcome.

        async with agent.run_many(tasks, concurrency=200) as outcomes:
            async for outcome in outcomes:
                print(outcome.index, outcome.error or outcome.output)

        tasks: taken one by one as there is room, so they may be as many as you like.
        concurrency: how many runs go on at once. No further one begins while nobody takes the
            outcomes.
        ordered: give the outcomes in the order of the tasks, not as they finish.

        Leaving the block ends the runs that still go on.
        """
        return outcomes(self, tasks, concurrency=concurrency, ordered=ordered, deps=deps)

"""The description of an agent, and the ways to run it."""

from __future__ import annotations

from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Callable,
    Iterable,
    Mapping,
)
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import anyio

from ..tools import document_fields
from .config import AgentConfig, OutputT
from .result import RunResult
from .run import (
    Chat,
    Outcome,
    RunOptions,
    RunStream,
    Task,
    check_task,
    fork_run,
    resume_run,
    run_tasks,
    start_run,
    stream_events,
)


@document_fields
@dataclass(frozen=True)
class Agent(AgentConfig[OutputT]):
    """A model, its instructions and its tools. It is immutable and serves many runs at once.

    agent = Agent(VLLMEngine("http://127.0.0.1:8000"), tools=[PythonTool()])
    result = agent.run_sync("What is 417 * 38?")
    print(result.output)
    """

    async def run(
        self,
        task: Task,
        *,
        deps: object = None,
        run_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> RunResult[OutputT]:
        """Work on a task until it has an output.

        deps: passed to the tools as `RunContext.deps`.
        run_id: an id of your own. If the journal already has a run of that id, it continues, so a
            program that is killed and started again does not work twice.
        metadata: stored in the journal with the run.

        Raises EngineError, SandboxError, LimitExceeded, OutputError, TurnError, GuardrailTripped,
        JournalError (also if the run of that id has another task), and whatever an output function
        or a hook raises. A CancelledError or GeneratorExit that something raises although nobody
        cancelled the run is a RunError. `RunFacts.of(error)` returns the messages and the usage of
        the run that it ended.
        """
        check_task(task)
        async with start_run(self, task, deps=deps, run_id=run_id, metadata=metadata) as run:
            return await run.execute()

    def run_sync(
        self,
        task: Task,
        *,
        deps: object = None,
        run_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> RunResult[OutputT]:
        """Work on a task like `run`, in a program without an event loop.

        Raises RuntimeError inside a running event loop, and what `run` raises.
        """
        if _is_in_event_loop():
            raise RuntimeError(
                "Agent.run_sync does not work inside a running event loop; write "
                "`await agent.run(...)` instead (also in a notebook)"
            )
        return anyio.run(partial(self.run, task, deps=deps, run_id=run_id, metadata=metadata))

    @asynccontextmanager
    async def stream(
        self,
        task: Task,
        *,
        deps: object = None,
        run_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> AsyncGenerator[RunStream[OutputT]]:
        """Work on a task like `run`, and give its events as they happen.

        Leaving the block ends the run.

        async with agent.stream("What is 417 * 38?") as run:
            async for event in run:
                print(event.kind)
        print(run.result.output)
        """
        check_task(task)
        opened = start_run(self, task, deps=deps, run_id=run_id, metadata=metadata)
        async with opened as run, stream_events(run) as stream:
            yield stream

    async def resume(self, run_id: str, *, deps: object = None) -> RunResult[OutputT]:
        """Continue a run of the journal where it was killed, cancelled or failed.

        A call that has its result is not made again. One that was running is repeated if its tool
        is `idempotent`; otherwise the model reads that it was interrupted. A run that has its
        output returns it again.

        Raises JournalError if the run is not there, was started by a different agent, or is
        continued by another process meanwhile; and what `run` raises.
        """
        async with resume_run(self, run_id, deps=deps) as run:
            return await run.execute()

    @asynccontextmanager
    async def stream_resumed(
        self, run_id: str, *, deps: object = None
    ) -> AsyncGenerator[RunStream[OutputT]]:
        """Continue a run like `resume`, and give its events from there on; see `stream`."""
        async with resume_run(self, run_id, deps=deps) as run, stream_events(run) as stream:
            yield stream

    async def fork(
        self, run_id: str, *, step: int | None = None, deps: object = None
    ) -> RunResult[OutputT]:
        """Start a new run with the first steps of another, and continue from there.

        This agent may have another engine, other tools and other limits than that run's.

        step: the last step that is kept, including its tool call and result; 0 keeps only the task,
            and None keeps all steps.

        The new run has the metadata of the other. Raises JournalError if the run is not in the
        journal or does not have this step; and what `run` raises.
        """
        async with fork_run(self, run_id, step=step, deps=deps) as run:
            return await run.execute()

    @asynccontextmanager
    async def chat(
        self,
        *,
        resume: str | None = None,
        deps: object = None,
        run_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> AsyncGenerator[Chat[OutputT]]:
        """Open a conversation over one transcript, for as long as the block lasts.

        async with agent.chat() as chat:
            print((await chat.say("What is 417 * 38?")).output)

        resume: the `run_id` of a chat in the journal to continue.
        run_id: an id of your own. If the journal already has a chat of that id, it continues.
        metadata: stored in the journal with a new chat.
        """
        if resume is None:
            opened = start_run(self, (), deps=deps, run_id=run_id, metadata=metadata)
        elif run_id is not None or metadata is not None:
            raise TypeError("`resume` continues a chat that has its run_id and metadata already")
        else:
            opened = resume_run(self, resume, deps=deps)
        async with opened as run:
            with Chat[OutputT].open(run) as chat:
                yield chat

    def run_many(
        self,
        tasks: Iterable[Task] | AsyncIterable[Task],
        *,
        concurrency: int = 16,
        ordered: bool = False,
        deps: object = None,
        run_id: Callable[[int, Task], str] | None = None,
        metadata: Mapping[str, Any] | Callable[[int, Task], Mapping[str, Any]] | None = None,
    ) -> AbstractAsyncContextManager[AsyncIterator[Outcome[OutputT]]]:
        """Work on many tasks at once; a run that fails does not affect the others.

        async with agent.run_many(tasks, concurrency=200) as outcomes:
            async for outcome in outcomes:
                print(outcome.index, outcome.error or outcome.output)

        tasks: taken one by one when there is room, so there can be any number of them.
        concurrency: how many runs are active at once. No further run starts while nobody takes the
            outcomes.
        ordered: return the outcomes in the order of the tasks, not as they finish.
        deps: passed to the tools of all runs.
        run_id: returns the id for a task and its index. With a journal, a program that is killed
            and started again with the same tasks continues where it stopped.
        metadata: stored in the journal with every run; or a function that returns it for a task.

        Leaving the block ends the runs that are still active. SystemExit and KeyboardInterrupt in a
        tool end all runs and reach the caller.
        """
        options = RunOptions(deps, run_id, metadata)
        return run_tasks(self, tasks, options, concurrency=concurrency, ordered=ordered)


def _is_in_event_loop() -> bool:
    try:
        anyio.get_current_task()
    except RuntimeError:
        return False
    return True

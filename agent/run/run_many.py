"""Many runs at once, with an outcome for each; a run that fails does not affect the others."""

from __future__ import annotations

from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Callable,
    Iterable,
    Mapping,
)
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Generic

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from ..config import AgentConfig, OutputT
from ..result import RunResult
from .background import run_in_background
from .lifecycle import enter_shared, start_run
from .prompt import Task, check_task


@dataclass(frozen=True, slots=True)
class Outcome(Generic[OutputT]):
    """The result or the error of one task."""

    index: int
    """The task's index in the order they were given, from 0."""
    task: Task = field(repr=False)
    result: RunResult[OutputT] | None = None
    error: Exception | None = None
    """What ended the run, if it has no result."""

    @property
    def output(self) -> OutputT:
        """The run's output. Raises the run's error if it has none."""
        if self.result is None:
            assert self.error is not None, "a run ends in a result or an error"
            raise self.error
        return self.result.output


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What the runs get besides their tasks; see `Agent.run_many`."""

    deps: object = None
    run_id: Callable[[int, Task], str] | None = None
    metadata: Mapping[str, Any] | Callable[[int, Task], Mapping[str, Any]] | None = None

    def run_id_of(self, index: int, task: Task) -> str | None:
        """Return the id of a task's run; None: a new one."""
        return None if self.run_id is None else self.run_id(index, task)

    def metadata_of(self, index: int, task: Task) -> Mapping[str, Any] | None:
        """Return the metadata of a task's run."""
        return self.metadata(index, task) if callable(self.metadata) else self.metadata


@asynccontextmanager
async def run_tasks(
    agent: AgentConfig[OutputT],
    tasks: Iterable[Task] | AsyncIterable[Task],
    options: RunOptions,
    *,
    concurrency: int,
    ordered: bool,
) -> AsyncGenerator[AsyncIterator[Outcome[OutputT]]]:
    """Give the outcomes of all tasks for as long as the block lasts; see `Agent.run_many`."""
    if concurrency < 1:
        raise ValueError(f"concurrency is {concurrency}; give 1 or more")
    if isinstance(tasks, str):
        raise TypeError("tasks is a string; give a list of tasks: run_many([task])")
    send, receive = anyio.create_memory_object_stream[Outcome[OutputT]]()
    # In order, runs that finish early wait for slow ones. A run takes a slot from its start until
    # its outcome is taken, so that finished runs cannot pile up.
    slots = anyio.Semaphore(2 * concurrency) if ordered else None
    queue = _TaskQueue(tasks, slots)

    async def work(outcomes: MemoryObjectSendStream[Outcome[OutputT]]) -> None:
        async with outcomes:
            while (item := await queue.take()) is not None:
                await outcomes.send(await _outcome(agent, *item, options))

    async with AsyncExitStack() as stack:
        await enter_shared(agent, stack)
        stack.enter_context(receive)
        background = await stack.enter_async_context(run_in_background())
        with send:
            for _ in range(concurrency):
                background.start(work, send.clone())
        yield receive if slots is None else _in_order(receive, slots)


async def _outcome(
    agent: AgentConfig[OutputT], index: int, task: Task, options: RunOptions
) -> Outcome[OutputT]:
    try:
        check_task(task)
        run_id, metadata = options.run_id_of(index, task), options.metadata_of(index, task)
        opened = start_run(agent, task, deps=options.deps, run_id=run_id, metadata=metadata)
        async with opened as run:
            result = await run.execute()
    except Exception as error:  # noqa: BLE001 - it belongs to this run alone
        return Outcome(index, task, error=error)
    return Outcome(index, task, result=result)


class _NoMoreTasks:
    """What the queue has after its last task; a task may have any other value."""


class _TaskQueue:
    """Hands out the tasks with their indices, each only when it is asked for."""

    def __init__(
        self, tasks: Iterable[Task] | AsyncIterable[Task], slots: anyio.Semaphore | None
    ) -> None:
        self._tasks = aiter(tasks) if isinstance(tasks, AsyncIterable) else iter(tasks)
        self._slots = slots
        self._lock = anyio.Lock()
        self._count = 0

    async def take(self) -> tuple[int, Task] | None:
        """Return the next task; None if there are no more."""
        async with self._lock:
            if self._slots is not None:
                await self._slots.acquire()
            if isinstance(self._tasks, AsyncIterator):
                task = await anext(self._tasks, _NoMoreTasks())
            else:
                task = next(self._tasks, _NoMoreTasks())
            if isinstance(task, _NoMoreTasks):
                if self._slots is not None:
                    self._slots.release()
                return None
            self._count += 1
            return self._count - 1, task


async def _in_order(
    outcomes: MemoryObjectReceiveStream[Outcome[OutputT]], slots: anyio.Semaphore
) -> AsyncGenerator[Outcome[OutputT]]:
    early: dict[int, Outcome[OutputT]] = {}
    next_index = 0
    async for outcome in outcomes:
        early[outcome.index] = outcome
        while next_index in early:
            slots.release()
            yield early.pop(next_index)
            next_index += 1

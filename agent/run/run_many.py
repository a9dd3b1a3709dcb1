"""Many runs at once: as they finish or in order, and none harms another."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Generic

import anyio
from anyio import Semaphore
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from ..config import AgentConfig, OutputT
from ..result import RunResult
from .lifecycle import Task, begun, enter_shared
from .running import result_of, told


@dataclass(frozen=True, slots=True)
class Outcome(Generic[OutputT]):
    """What became of one task."""

    index: int
    """Of the task, in the order they were given; from 0."""
    task: Task = field(repr=False)
    result: RunResult[OutputT] | None = None
    error: Exception | None = None
    """What the run ended with instead of a result."""

    @property
    def output(self) -> OutputT:
        """The answer. Raises the run's error if it has none."""
        if self.result is None:
            assert self.error is not None, "a run ends in a result or an error"
            raise self.error
        return self.result.output


@asynccontextmanager
async def outcomes(
    agent: AgentConfig[OutputT],
    tasks: Iterable[Task] | AsyncIterable[Task],
    *,
    concurrency: int,
    ordered: bool,
    deps: Any,
) -> AsyncGenerator[AsyncIterator[Outcome[OutputT]]]:
    """The outcomes of all tasks, for as long as the block lasts; see `Agent.run_many`."""
    if concurrency < 1:
        raise ValueError(f"concurrency is {concurrency}; give 1 or more")
    send, receive = anyio.create_memory_object_stream[Outcome[OutputT]]()
    # In order, early finishers wait for the slow: a ticket is held from a task's start until its
    # outcome is taken, so that they cannot pile up.
    tickets = Semaphore(2 * concurrency) if ordered else None
    source = _Source(tasks, tickets)

    async def work(into: MemoryObjectSendStream[Outcome[OutputT]]) -> None:
        async with into:
            while (item := await source.take()) is not None:
                await into.send(await _outcome(agent, *item, deps))

    async with AsyncExitStack() as stack:
        await enter_shared(agent, stack)
        group = await stack.enter_async_context(anyio.create_task_group())
        stack.enter_context(receive)
        with send:
            for _ in range(concurrency):
                group.start_soon(work, send.clone())
        yield receive if tickets is None else _in_order(receive, tickets)
        group.cancel_scope.cancel()


async def _outcome(
    agent: AgentConfig[OutputT], index: int, task: Task, deps: Any
) -> Outcome[OutputT]:
    try:
        return Outcome(index, task, result=await result_of(told(begun(agent, task, deps=deps))))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is this run's alone
        return Outcome(index, task, error=error)


class _Source(Generic[OutputT]):
    """Hands out the tasks one by one, numbered; only as they are asked for."""

    def __init__(
        self, tasks: Iterable[Task] | AsyncIterable[Task], tickets: Semaphore | None
    ) -> None:
        self._tasks = aiter(tasks) if isinstance(tasks, AsyncIterable) else iter(tasks)
        self._tickets = tickets
        self._turn = anyio.Lock()
        self._count = 0

    async def take(self) -> tuple[int, Task] | None:
        """The next task; None if there is none."""
        async with self._turn:
            if self._tickets is not None:
                await self._tickets.acquire()
            if isinstance(self._tasks, AsyncIterator):
                task = await anext(self._tasks, None)
            else:
                task = next(self._tasks, None)
            if task is None:
                if self._tickets is not None:
                    self._tickets.release()
                return None
            self._count += 1
            return self._count - 1, task


async def _in_order(
    outcomes: MemoryObjectReceiveStream[Outcome[OutputT]], tickets: Semaphore
) -> AsyncGenerator[Outcome[OutputT]]:
    early: dict[int, Outcome[OutputT]] = {}
    due = 0
    async for outcome in outcomes:
        early[outcome.index] = outcome
        while due in early:
            tickets.release()
            yield early.pop(due)
            due += 1

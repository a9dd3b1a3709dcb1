"""A run in the background, and an iterator over its events."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Generic, Self

import anyio
import anyio.lowlevel

from ...harmony import Message
from ..config import OutputT
from ..events import DELTAS, Event, RunFinished
from ..result import RunResult
from .background import run_in_background
from .loop import Run
from .outcome import note_cancellation

BUFFERED_EVENTS = 256
"""How many deltas a run may be ahead of its consumer."""


class RunStream(Generic[OutputT]):
    """The events of a run, in order; then its result.

        async with agent.stream("What is 417 * 38?") as run:
            async for event in run:
                ...
        print(run.result.output)

    The run waits for the consumer at every event that is not a delta of text. So leaving the block
    at a `ToolCallReady`, for example, ends the run before the tool is called. If such a run is
    resumed, the model reads that the call was interrupted; an `idempotent` tool is called then.
    """

    def __init__(self, run: Run[OutputT]) -> None:
        self._run = run
        self._events: deque[Event] = deque()
        self._arrived = anyio.Event()
        self._taken = anyio.Event()
        self._is_over = False
        self._result: RunResult[OutputT] | None = None
        self._failure: BaseException | None = None

    @property
    def run_id(self) -> str:
        """The run's id in the journal."""
        return self._run.run_id

    @property
    def result(self) -> RunResult[OutputT]:
        """The result, once the iteration has reached its end.

        Raises the run's error if it failed, and RuntimeError if it has not finished.
        """
        if self._failure is not None:
            raise self._failure
        if self._result is not None:
            return self._result
        if self._is_over:
            raise RuntimeError(
                "the run has no result: it ended when its block was left before the last event. "
                "Iterate over all events (async for event in run) inside the block"
            )
        raise RuntimeError(
            "the run has not finished: iterate over its events to the end (async for event in "
            "run), or use `await agent.run(...)` if you do not need them"
        )

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        """Return the next event. Raises what ended the run."""
        await anyio.lowlevel.checkpoint_if_cancelled()
        while not self._events:
            if self._is_over:
                if self._failure is not None:
                    raise self._failure
                raise StopAsyncIteration
            self._taken.set()
            if self._arrived.is_set():
                self._arrived = anyio.Event()
            await self._arrived.wait()
        return self._events.popleft()

    async def _observe(self, event: Event) -> None:
        """Hand an event to the consumer, and wait until the run may continue."""
        self._events.append(event)
        self._arrived.set()
        if isinstance(event, RunFinished):
            self._result = event.result
            return
        if isinstance(event, DELTAS) and len(self._events) < BUFFERED_EVENTS:
            return
        self._taken = anyio.Event()
        await self._taken.wait()

    async def execute(self, message: Message | None) -> None:
        """Execute the run; the consumer gets whatever it raises."""
        self._run.observers.append(self._observe)
        try:
            self._result = await self._run.execute(message)
        except anyio.get_cancelled_exc_class():
            raise
        except BaseException as error:  # noqa: BLE001 - the consumer gets it
            self._failure = error
        finally:
            self._run.observers.remove(self._observe)
            self._is_over = True
            self._arrived.set()


@asynccontextmanager
async def stream_events(
    run: Run[OutputT], message: Message | None = None
) -> AsyncGenerator[RunStream[OutputT]]:
    """Execute the run in the background for as long as the block lasts.

    message: something new that the user says first.

    Raises what the block raises, not in a group.
    """
    stream = RunStream(run)
    async with run_in_background() as background:
        background.start(stream.execute, message)
        try:
            yield stream
        except anyio.get_cancelled_exc_class() as cancelled:
            note_cancellation(run.facts(), cancelled)
            raise

"""A run from its opening to its result, whatever becomes of it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager, suppress
from typing import Any

import structlog
from anyio import get_cancelled_exc_class, move_on_after

from ...errors import JournalError, RunCancelled, RunError
from ..config import OutputT
from ..events import Event, RunFinished
from ..journal import RunFailed
from ..result import RunFile, RunResult
from .loop import Run

log = structlog.get_logger()

FAREWELL_S = 10.0
"""How long a run that has failed may take to write that down."""


async def told(opened: AbstractAsyncContextManager[Run[Any]]) -> AsyncGenerator[Event]:
    """A run's events, from its opening to its result; the last one is RunFinished."""
    async with opened as run:
        async with watched(run), aclosing(run.events()) as events:
            async for event in events:
                yield event
        result = await finished(run)
        stamp = run.stamp
    yield RunFinished(**stamp, result=result)


async def result_of(stream: AsyncGenerator[Event]) -> RunResult[Any]:
    """The result that a stream of events ends with."""
    async with aclosing(stream) as events:
        async for event in events:
            if isinstance(event, RunFinished):
                return event.result
    raise AssertionError("a run's last event is RunFinished")


async def finished(run: Run[OutputT]) -> RunResult[OutputT]:
    """What a run that the model has answered leaves behind."""
    state, book = run.state, run.book
    assert state.answer is not None, "a run is finished with its answer"
    if not run.outputs:  # it was answered in another process
        run.outputs.append(await run.output(state.answer))
    log.info(
        "run_finished",
        run_id=book.run_id,
        steps=state.usage.steps,
        tool_calls=state.usage.tool_calls,
        sampled_tokens=state.usage.sampled_tokens,
        seconds=round(book.meter.seconds, 3),
    )
    files = [RunFile(path=path, data=await book.fetch(path)) for path in state.files]
    return RunResult(
        run_id=book.run_id,
        output=run.outputs[-1],
        messages=tuple(state.transcript.messages),
        usage=state.usage,
        seconds=book.meter.seconds,
        files=tuple(files),
        limit=state.limit,
        citations=book.toolbox.citations(state.answer.text),
    )


@asynccontextmanager
async def watched(run: Run[Any]) -> AsyncGenerator[None]:
    """Where a run fails or is cancelled in this block, write it down and give the error its facts.

    A cancellation goes on as it is: `RunCancelled.of` finds the run in it.
    """
    try:
        yield
    except get_cancelled_exc_class() as cancelled:
        facts = RunCancelled(f"the run {run.book.run_id} was cancelled", run_id=run.book.run_id)
        facts.messages, facts.usage = tuple(run.messages), run.state.usage
        cancelled.__cause__ = facts
        raise
    except Exception as error:
        if isinstance(error, RunError):
            error.run_id, error.usage = run.book.run_id, run.state.usage
            error.messages = tuple(run.messages)
        await _write_down(run, error)
        raise


async def _write_down(run: Run[Any], error: Exception) -> None:
    """Note in the journal that the run failed; the error itself says more than a second one."""
    log.info("run_failed", run_id=run.book.run_id, error=type(error).__name__)
    if run.book.journal is None or isinstance(error, JournalError):
        return
    failed = RunFailed(
        at_s=run.book.meter.seconds, error_type=type(error).__name__, text=str(error)
    )
    with suppress(JournalError), move_on_after(FAREWELL_S, shield=True):
        await run.book.record(failed)

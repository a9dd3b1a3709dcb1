"""How a run ends: with a result, or with an error that carries the run's facts."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress

import anyio

from ...errors import JournalError, RunCancelled, RunError, RunFacts
from ...sandbox import get_logger
from ...tools import is_cancelled, is_failure
from ..journal import RunFailed
from ..result import OutputT, RunFile, RunResult
from .recorder import RunRecorder

log = get_logger("ossia.agent")

RECORD_FAILURE_S = 10.0
"""Seconds that a failed run may take to record its failure."""


async def build_result(recorder: RunRecorder, output: OutputT) -> RunResult[OutputT]:
    """Return the result of a run whose output was accepted."""
    state, meter = recorder.state, recorder.meter
    usage, answer = state.spending.usage, state.position.answer
    log.info(
        "run_finished",
        run_id=recorder.run_id,
        steps=usage.steps,
        tool_calls=usage.tool_calls,
        sampled_tokens=usage.sampled_tokens,
        seconds=round(meter.seconds, 3),
    )
    paths = state.position.files
    files = [RunFile(path=path, data=await recorder.read_file(path)) for path in paths]
    return RunResult(
        run_id=recorder.run_id,
        output=output,
        messages=tuple(state.conversation.transcript.messages),
        usage=usage,
        seconds=meter.seconds,
        files=tuple(files),
        limit=state.position.limit,
        warnings=tuple(state.warnings),
        citations=recorder.toolbox.citations(answer.text if answer else ""),
    )


@asynccontextmanager
async def record_failure(
    recorder: RunRecorder, facts: Callable[[], RunFacts]
) -> AsyncGenerator[None]:
    """Journal whatever ends the run in this block, and add the run's facts to it.

    A cancellation passes through, with a RunCancelled as its cause. A CancelledError or
    GeneratorExit that something in the run raised although nobody cancelled it is a failure: it
    becomes a RunError.
    """
    try:
        yield
    except BaseException as raised:
        if isinstance(raised, (GeneratorExit, anyio.get_cancelled_exc_class())) and is_cancelled():
            note_cancellation(facts(), raised)
            raise
        error = as_failure(recorder.run_id, raised)
        await _record(recorder, facts(), error)
        if error is raised:
            raise
        raise error from raised


def as_failure(run_id: str, raised: BaseException) -> BaseException:
    """Return a RunError in place of a CancelledError or GeneratorExit that nobody asked for.

    Other exceptions are returned as they are.
    """
    if isinstance(raised, Exception) or not is_failure(raised):
        return raised
    return RunError(
        f"something in the run {run_id} raised {type(raised).__name__}, but nobody cancelled the "
        "run"
    )


def note_cancellation(facts: RunFacts, cancelled: BaseException) -> None:
    """Make a RunCancelled with the run's facts the cause of a cancellation."""
    cause = RunCancelled(f"the run {facts.run_id} was cancelled")
    facts.attach(cause)
    cancelled.__cause__ = cause


async def _record(recorder: RunRecorder, facts: RunFacts, error: BaseException) -> None:
    """Add the facts to the error and journal it; the error says more than a second failure."""
    facts.attach(error)
    log.info("run_failed", run_id=facts.run_id, error=type(error).__name__)
    has_answer = recorder.state.position.answer is not None
    if recorder.journal is None or has_answer or isinstance(error, JournalError):
        return
    failed = RunFailed(
        at_s=recorder.meter.seconds, error_type=type(error).__name__, text=str(error)
    )
    with suppress(JournalError), anyio.move_on_after(RECORD_FAILURE_S, shield=True):
        await recorder.record(failed)

"""How a run begins: anew, where a killed one stopped, or as a copy of another's first steps."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast
from uuid import uuid4

import structlog
from anyio import get_cancelled_exc_class, move_on_after

from ..errors import JournalError, RunCancelled, RunError
from ..harmony import Message, SystemContent
from ..tools import Toolbox
from .book import Book
from .journal.journal import Journal
from .journal.records import Record, RunFailed, RunOpened, RunTaken, TurnTaken
from .limits import Meter
from .loop import Run
from .prompt import opening
from .result import RunFile, RunResult
from .settings import OutputT, Settings
from .state import State

log = structlog.get_logger()

FAREWELL_S = 10.0
"""How long a run that has failed may take to write that down."""


@asynccontextmanager
async def begun(
    agent: Settings[OutputT],
    task: str | Sequence[Message],
    *,
    deps: object = None,
    about: Mapping[str, Any] | None = None,
) -> AsyncGenerator[Run[OutputT]]:
    """A new run, at its first step.

    about: kept in the journal, for whoever resumes the run.
    """
    async with _open(agent, new_run_id(), State(), deps) as run:
        opened = _opened(agent, run.book.toolbox, task)
        await run.book.record(opened.model_copy(update={"about": dict(about or {})}))
        yield run


@asynccontextmanager
async def resumed(
    agent: Settings[OutputT], run_id: str, *, deps: object = None
) -> AsyncGenerator[Run[OutputT]]:
    """A run of the agent's journal, where it stopped.

    Raises JournalError if it is not there, or was begun by an agent of other instructions or tools.
    """
    journal = _journal(agent)
    state = State(await journal.read(run_id))
    async with _open(agent, run_id, state, deps) as run:
        book = run.book
        now = _opened(agent, book.toolbox, ())
        if _described(now.messages) != _described(state.opening):
            raise JournalError(
                f"the run {run_id} was begun with other instructions, tools or output type than "
                "this agent has; give the agent it was begun with, or fork the run",
                run_id=run_id,
            )
        await book.record(RunTaken(at_s=state.seconds))
        await _restore(book)
        log.info("run_resumed", run_id=run_id, step=state.usage.steps)
        yield run


@asynccontextmanager
async def forked(
    agent: Settings[OutputT], run_id: str, *, step: int | None = None, deps: object = None
) -> AsyncGenerator[Run[OutputT]]:
    """A new run that begins with the first steps of another, whatever agent that one had.

    step: the last turn of the model that is kept; None keeps all.

    Raises JournalError if the run is not in the agent's journal, or had no such step.
    """
    first, *others = await _journal(agent).read(run_id)
    assert isinstance(first, RunOpened), "a run's first record opens it"
    task = [message for message in first.messages if message.role not in {"system", "developer"}]
    kept = list(_until(others, step, run_id))
    async with _open(agent, new_run_id(), State(), deps) as run:
        opened = _opened(agent, run.book.toolbox, task)
        update = {"forked_from": run_id, "about": first.about}
        await run.book.record(opened.model_copy(update=update), *kept)
        await _restore(run.book)
        yield run


async def finished(run: Run[OutputT]) -> RunResult[OutputT]:
    """What a run leaves behind that the model has answered."""
    state, book = run.state, run.book
    assert state.answer is not None, "a run is finished with its answer"
    if not run.outputs:  # it was answered in another process
        run.outputs.append(await run.output(state.answer))
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


def new_run_id() -> str:
    """A name that no other run has."""
    return uuid4().hex[:12]


@asynccontextmanager
async def _open(
    agent: Settings[OutputT], run_id: str, state: State, deps: object
) -> AsyncGenerator[Run[OutputT]]:
    """Enter the engine, the journal and the tools, for as long as the run lasts."""
    async with AsyncExitStack() as stack:
        for held in (agent.engine, agent.journal):
            if isinstance(held, AbstractAsyncContextManager):
                manager = cast("AbstractAsyncContextManager[object]", held)
                await stack.enter_async_context(manager)
        toolbox = await stack.enter_async_context(Toolbox(agent.tools, deps=deps))
        book = Book(run_id, state, Meter(agent.limits, state), toolbox, agent.journal)
        yield Run(agent, book, deps)


def _opened(agent: Settings[Any], toolbox: Toolbox, task: str | Sequence[Message]) -> RunOpened:
    said = opening(agent, toolbox, agent.output_format.response_formats, task)
    return RunOpened(messages=tuple(said), began=datetime.now(UTC))


def _described(messages: Sequence[Message]) -> list[Message]:
    """What the model was told of itself and its tools, whatever the day."""
    described: list[Message] = []
    for message in messages:
        if isinstance(message.content, SystemContent):
            undated = replace(message.content, conversation_start_date=None)
            described.append(replace(message, content=undated))
        elif message.role == "developer":
            described.append(message)
    return described


def _until(records: Sequence[Record], step: int | None, run_id: str) -> Iterator[Record]:
    """The records up to a step's end, without those that tell of other processes."""
    turns = 0
    for record in records:
        turns += isinstance(record, TurnTaken)
        if step is not None and turns > step:
            return
        if not isinstance(record, RunTaken | RunFailed):
            yield record
    if step is not None and turns < step:
        raise JournalError(f"the run {run_id} has {turns} steps, and no {step}", run_id=run_id)


async def _restore(book: Book) -> None:
    """Give the tools back what those of an earlier process had."""
    journal, state = book.journal, book.state
    assert journal is not None, "what is restored comes from a journal"
    files = {path: digest for path, digest in state.files.items() if digest is not None}
    await book.toolbox.put_back({path: await journal.blob(d) for path, d in files.items()})
    book.toolbox.restore(state.changes)


async def _write_down(run: Run[Any], error: Exception) -> None:
    """Note in the journal that the run failed; the error itself says more than a second one."""
    log.info("run_failed", run_id=run.book.run_id, error=type(error).__name__)
    if run.book.journal is None or isinstance(error, JournalError):
        return
    failed = RunFailed(at_s=run.book.meter.seconds, error=type(error).__name__, text=str(error))
    with suppress(JournalError), move_on_after(FAREWELL_S, shield=True):
        await run.book.record(failed)


def _journal(agent: Settings[Any]) -> Journal:
    if agent.journal is None:
        raise JournalError(
            "this agent has no journal: write Agent(..., journal=SQLiteJournal()), and what it "
            "runs can be resumed"
        )
    return agent.journal

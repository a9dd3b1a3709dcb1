"""How a run begins: anew, where a killed one stopped, or as a copy of another's first steps."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast
from uuid import uuid4

import structlog

from ...errors import EngineError, JournalError
from ...harmony import Message, SystemContent
from ...tools import Tool, Toolbox
from ..config import AgentConfig, OutputT
from ..context import make_read_tools
from ..journal import ContextTrimmed, Journal, Record, RunFailed, RunOpened, RunResumed, TurnSampled
from .loop import Run
from .meter import Meter
from .prompt import opening
from .recorder import RunRecorder
from .state import State

log = structlog.get_logger()

FORBIDDEN: list[type] = []
"""Kinds of engines that no run may ask; see `testing.forbid_real_engines`."""

TOLD_ANEW = frozenset({"system", "developer"})
"""Who speaks in the messages that each agent writes for itself."""

Task = str | Sequence[Message]
"""What the user asks, or a conversation that ends with it."""


@asynccontextmanager
async def begun(
    agent: AgentConfig[OutputT],
    task: Task,
    *,
    deps: object = None,
    about: Mapping[str, Any] | None = None,
) -> AsyncGenerator[Run[OutputT]]:
    """A new run, at its first step.

    about: kept in the journal, for whoever resumes the run.
    """
    async with _open(agent, _new_run_id(), State(), deps) as run:
        opened = _opened(agent, run.book.toolbox, task)
        await run.book.record(opened.model_copy(update={"metadata": dict(about or {})}))
        yield run


@asynccontextmanager
async def resumed(
    agent: AgentConfig[OutputT], run_id: str, *, deps: object = None
) -> AsyncGenerator[Run[OutputT]]:
    """A run of the agent's journal, where it stopped.

    Raises JournalError if it is not there, or was begun by an agent of other instructions or tools.
    """
    journal = _journal(agent)
    state = State(await journal.read(run_id))
    now = _opened(agent, Toolbox(agent.tools, deps=deps), ())
    if _described(now.messages) != _described(state.opening):
        raise JournalError(
            f"the run {run_id} was begun with other instructions, tools or output type than "
            "this agent has; give the agent it was begun with, or fork the run",
            run_id=run_id,
        )
    async with _open(agent, run_id, state, deps) as run:
        await run.book.record(RunResumed(at_s=state.seconds))
        await _restore(run.book)
        log.info("run_resumed", run_id=run_id, step=state.usage.steps)
        yield run


@asynccontextmanager
async def forked(
    agent: AgentConfig[OutputT], run_id: str, *, step: int | None = None, deps: object = None
) -> AsyncGenerator[Run[OutputT]]:
    """A new run that begins with the first steps of another, whatever agent that one had.

    step: the last turn of the model that is kept; None keeps all.

    Raises JournalError if the run is not in the agent's journal, or had no such step.
    """
    first, *others = await _journal(agent).read(run_id)
    assert isinstance(first, RunOpened), "a run's first record opens it"
    task = [message for message in first.messages if message.role not in TOLD_ANEW]
    kept = list(_until(others, step, run_id))
    async with _open(agent, _new_run_id(), State(), deps) as run:
        opened = _opened(agent, run.book.toolbox, task)
        kept = [_moved(record, first.messages, opened.messages) for record in kept]
        update = {"forked_from": run_id, "metadata": first.metadata}
        await run.book.record(opened.model_copy(update=update), *kept)
        await _restore(run.book)
        yield run


async def enter_shared(agent: AgentConfig[Any], stack: AsyncExitStack) -> None:
    """Enter what an agent's runs share: the engine and the journal, where they can be entered.

    Raises EngineError for an engine of a kind that is forbidden at the moment.
    """
    if isinstance(agent.engine, tuple(FORBIDDEN)):
        raise EngineError(
            f"{agent.engine!r} is a real engine, and they are forbidden here: give the agent a "
            "ScriptedEngine, by dataclasses.replace(agent, engine=...)"
        )
    for held in (agent.engine, agent.journal):
        if isinstance(held, AbstractAsyncContextManager):
            await stack.enter_async_context(cast("AbstractAsyncContextManager[object]", held))


def tools_of(agent: AgentConfig[Any], state: State) -> Sequence[Tool | Callable[..., Any]]:
    """The agent's tools, and the one by which the model reads again what it is shown no more."""
    if agent.context is None:
        return agent.tools
    return [*agent.tools, *make_read_tools(state, agent.tools)]


def _new_run_id() -> str:
    """A name that no other run has."""
    return uuid4().hex[:12]


@asynccontextmanager
async def _open(
    agent: AgentConfig[OutputT], run_id: str, state: State, deps: object
) -> AsyncGenerator[Run[OutputT]]:
    """Enter the engine, the journal and the tools, for as long as the run lasts.

    A tool that holds a task group would wrap whatever ends the run; it comes out as it was.
    """
    ended: BaseException | None = None
    try:
        async with AsyncExitStack() as stack:
            await enter_shared(agent, stack)
            toolbox = await stack.enter_async_context(Toolbox(tools_of(agent, state), deps=deps))
            book = RunRecorder(run_id, state, Meter(agent.limits, state), toolbox, agent.journal)
            try:
                yield Run(agent, book, deps)
            except BaseException as error:
                ended = error
                raise
    except BaseExceptionGroup as group:
        if ended is not None and _leaves(group) == [ended]:
            raise ended from ended.__cause__
        raise


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    """The errors in a group and the groups in it."""
    found: list[BaseException] = []
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            found += _leaves(cast("BaseExceptionGroup[BaseException]", error))
        else:
            found.append(error)
    return found


def _opened(agent: AgentConfig[Any], toolbox: Toolbox, task: str | Sequence[Message]) -> RunOpened:
    said = opening(agent, toolbox, agent.output_format.response_formats, task)
    return RunOpened(messages=tuple(said), started_at=datetime.now(UTC))


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
        turns += isinstance(record, TurnSampled)
        if step is not None and turns > step:
            return
        if not isinstance(record, RunResumed | RunFailed):
            yield record
    if step is not None and turns < step:
        raise JournalError(f"the run {run_id} has {turns} steps, and no {step}", run_id=run_id)


def _moved(record: Record, old: Sequence[Message], new: Sequence[Message]) -> Record:
    """A record that names messages by their places, after another opening than it was made for."""
    if not isinstance(record, ContextTrimmed):
        return record
    task = [at for at, message in enumerate(old) if message.role not in TOLD_ANEW]
    places = dict(zip(task, range(len(new) - len(task), len(new)), strict=True))
    later = len(new) - len(old)
    shown = {
        places[at] if at in places else at + later: message
        for at, message in record.replacements.items()
        if at in places or at >= len(old)
    }
    return record.model_copy(update={"replacements": shown})


async def _restore(book: RunRecorder) -> None:
    """Give the tools back what those of an earlier process had."""
    journal, state = book.journal, book.state
    assert journal is not None, "what is restored comes from a journal"
    files = {path: digest for path, digest in state.files.items() if digest is not None}
    await book.toolbox.put_back({path: await journal.blob(d) for path, d in files.items()})
    book.toolbox.restore(state.changes)


def _journal(agent: AgentConfig[Any]) -> Journal:
    if agent.journal is None:
        raise JournalError(
            "this agent has no journal: write Agent(..., journal=SQLiteJournal()), and what it "
            "runs can be resumed"
        )
    return agent.journal

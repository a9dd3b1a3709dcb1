"""How a run opens: new, resumed from its journal, or forked from another run's first steps."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast
from uuid import uuid4

from ...errors import EngineError, JournalError, RunFacts, RunNotFoundError
from ...harmony import Message, SystemContent
from ...sandbox import get_logger
from ...tools import RunContext, Tool, Toolbox
from ..config import AgentConfig, OutputT
from ..context import make_read_tools
from ..journal import (
    ContextTrimmed,
    Journal,
    Record,
    RunFailed,
    RunOpened,
    RunResumed,
    TurnSampled,
)
from ..switches import SWITCHES
from .loop import Run
from .meter import Meter
from .outcome import as_failure
from .prompt import (
    Task,
    continued_instructions,
    opening_messages,
    read_instructions,
    task_messages,
)
from .recorder import RunRecorder
from .state import RunState

log = get_logger("ossia.agent")

AGENT_ROLES = frozenset({"system", "developer"})
"""The authors of the messages that each agent writes itself."""


@asynccontextmanager
async def start_run(
    agent: AgentConfig[OutputT],
    task: Task,
    *,
    deps: object = None,
    run_id: str | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> AsyncGenerator[Run[OutputT]]:
    """Open a new run; or, if the journal has a run of that id, continue it.

    metadata: stored with the run, and read when it is listed or resumed.

    Raises JournalError if the run of that id has another task, and ValueError for an invalid id.
    """
    _check_run_id(run_id)
    if run_id is not None and agent.journal is not None:
        records = await _find_run(agent.journal, run_id)
        if records:
            _check_task(run_id, records[0], task)
            async with _continue_run(agent, run_id, records, deps) as run:
                yield run
            return
    async with _open(agent, run_id or _new_run_id(), RunState(), deps) as run:
        opened = await _run_opened(agent, run, task, deps)
        await run.recorder.record(opened.model_copy(update={"metadata": dict(metadata or {})}))
        yield run


@asynccontextmanager
async def resume_run(
    agent: AgentConfig[OutputT], run_id: str, *, deps: object = None
) -> AsyncGenerator[Run[OutputT]]:
    """Open a run of the agent's journal where it stopped.

    Raises JournalError if it is not there, or if it was started with other instructions or tools.
    """
    records = await _require_journal(agent).read(run_id)
    async with _continue_run(agent, run_id, records, deps) as run:
        yield run


@asynccontextmanager
async def fork_run(
    agent: AgentConfig[OutputT], run_id: str, *, step: int | None = None, deps: object = None
) -> AsyncGenerator[Run[OutputT]]:
    """Open a new run that starts with the first steps of another, whichever agent that one had.

    step: the last step of the copy; None copies all steps.

    Raises JournalError if the run is not in the agent's journal, or does not have this step.
    """
    if step is not None and not _is_step(step):
        raise ValueError(f"step is {step!r}; give the number of a step, from 1, or 0 for the task")
    first, *others = await _require_journal(agent).read(run_id)
    assert isinstance(first, RunOpened), "a run's first record is RunOpened"
    task = [message for message in first.messages if message.role not in AGENT_ROLES]
    remaining = list(_records_until(others, step, run_id))
    async with _open(agent, _new_run_id(), RunState(), deps) as run:
        opened = await _run_opened(agent, run, task, deps)
        remaining = [_renumber(record, first.messages, opened.messages) for record in remaining]
        update = {"forked_from": run_id, "metadata": first.metadata}
        await run.recorder.record(opened.model_copy(update=update), *remaining)
        await _restore_tools(run.recorder)
        yield run


async def enter_shared(agent: AgentConfig[Any], stack: AsyncExitStack) -> None:
    """Enter what an agent's runs share: the engine and the journal, if they can be entered.

    Raises EngineError for an engine of a forbidden kind.
    """
    if isinstance(agent.engine, tuple(SWITCHES.forbidden_engines)):
        raise EngineError(
            f"{agent.engine!r} is a real engine, and real engines are forbidden here: give the "
            "agent a ScriptedEngine with dataclasses.replace(agent, engine=...)"
        )
    for shared in (agent.engine, agent.journal):
        if isinstance(shared, AbstractAsyncContextManager):
            await stack.enter_async_context(cast("AbstractAsyncContextManager[object]", shared))


def tools_of(agent: AgentConfig[Any], state: RunState) -> Sequence[Tool | Callable[..., Any]]:
    """Return the agent's tools, and the one that reads tool results that were left out."""
    if agent.context is None:
        return agent.tools
    return [*agent.tools, *make_read_tools(state.conversation, agent.tools)]


def _check_run_id(run_id: object) -> None:
    """Raise ValueError if a run cannot have this id: it is stored, logged and typed by people."""
    if run_id is None:
        return
    if not isinstance(run_id, str) or not run_id.strip() or not run_id.isprintable():
        raise ValueError(f"run_id={run_id!r} is not an id: use printable text, or leave it out")


def _new_run_id() -> str:
    return uuid4().hex[:12]


async def _find_run(journal: Journal, run_id: str) -> list[Record]:
    """Return the records of a run; [] if the journal does not have it."""
    try:
        return await journal.read(run_id)
    except RunNotFoundError:
        return []


def _check_task(run_id: str, opened: Record, task: Task) -> None:
    assert isinstance(opened, RunOpened), "a run's first record is RunOpened"
    recorded = [message for message in opened.messages if message.role not in AGENT_ROLES]
    if recorded != task_messages(task):
        raise JournalError(
            f"the journal already has a run {run_id} with another task; give this task another "
            "run_id",
            run_id=run_id,
        )


@asynccontextmanager
async def _continue_run(
    agent: AgentConfig[OutputT], run_id: str, records: Sequence[Record], deps: object
) -> AsyncGenerator[Run[OutputT]]:
    """Open a run where its records end."""
    state = RunState(records)
    opening = state.conversation.opening
    instructions = continued_instructions(agent, opening)
    today = opening_messages(agent, Toolbox(agent.tools, deps=deps), (), instructions)
    if _description(today) != _description(opening):
        raise JournalError(
            f"the run {run_id} was started with other instructions, tools or another output type "
            "than this agent has; resume it with an agent like the one that started it, or fork it",
            run_id=run_id,
        )
    async with _open(agent, run_id, state, deps, is_resumed=True) as run:
        # Nothing happens anymore in a run that has its output: it stays the last record.
        if state.position.answer is None:
            await run.recorder.record(RunResumed(at_s=state.spending.seconds))
        await _restore_tools(run.recorder)
        log.info("run_resumed", run_id=run_id, step=state.spending.usage.steps)
        yield run


@asynccontextmanager
async def _open(
    agent: AgentConfig[OutputT],
    run_id: str,
    state: RunState,
    deps: object,
    *,
    is_resumed: bool = False,
) -> AsyncGenerator[Run[OutputT]]:
    """Enter the engine, the journal and the tools for as long as the run lasts.

    Whatever ends the run gets at least the run's id. A tool with a task group of its own would wrap
    it in an exception group; it leaves here unwrapped.
    """
    failure: BaseException | None = None
    try:
        async with AsyncExitStack() as stack:
            await enter_shared(agent, stack)
            toolbox = await stack.enter_async_context(Toolbox(tools_of(agent, state), deps=deps))
            meter = Meter(agent.limits, state)
            recorder = RunRecorder(run_id, state, meter, toolbox, agent.journal)
            try:
                yield Run(agent, recorder, deps, is_resumed=is_resumed)
            except BaseException as error:
                failure = error
                raise
    except BaseExceptionGroup as group:
        if failure is not None and _leaves(group) == [failure]:
            raise failure from failure.__cause__
        _attach_id(run_id, group)
        raise
    except BaseException as raised:
        # What the block raised has its facts. The tools and the engine may fail before and after.
        reason = raised if raised is failure else as_failure(run_id, raised)
        _attach_id(run_id, reason)
        if reason is raised:
            raise
        raise reason from raised


def _attach_id(run_id: str, error: BaseException) -> None:
    if RunFacts.of(error) is None:
        RunFacts(run_id).attach(error)


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    """Return the errors in a group and in the groups inside it."""
    found: list[BaseException] = []
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            found += _leaves(cast("BaseExceptionGroup[BaseException]", error))
        else:
            found.append(error)
    return found


async def _run_opened(
    agent: AgentConfig[Any], run: Run[Any], task: Task, deps: object
) -> RunOpened:
    """Return the first record of a new run."""
    instructions = await read_instructions(agent, RunContext(deps, run.run_id))
    messages = opening_messages(agent, run.recorder.toolbox, task, instructions)
    return RunOpened(messages=tuple(messages), started_at=datetime.now(UTC))


def _description(messages: Sequence[Message]) -> list[Message]:
    """Return what the model reads about itself and its tools, without the date."""
    described: list[Message] = []
    for message in messages:
        if isinstance(message.content, SystemContent):
            undated = replace(message.content, conversation_start_date=None)
            described.append(replace(message, content=undated))
        elif message.role == "developer":
            described.append(message)
    return described


def _is_step(step: object) -> bool:
    return isinstance(step, int) and step >= 0


def _records_until(records: Sequence[Record], step: int | None, run_id: str) -> Iterator[Record]:
    """Yield the records up to the end of a step, without those about processes."""
    turns = 0
    for record in records:
        turns += isinstance(record, TurnSampled)
        if step is not None and turns > step:
            return
        if not isinstance(record, RunResumed | RunFailed):
            yield record
    if step is not None and turns < step:
        raise JournalError(
            f"the run {run_id} has {turns} steps; it does not have step {step}", run_id=run_id
        )


def _renumber(record: Record, old: Sequence[Message], new: Sequence[Message]) -> Record:
    """Return a record that names messages by index, for another opening than it was made for."""
    if not isinstance(record, ContextTrimmed):
        return record
    task = [at for at, message in enumerate(old) if message.role not in AGENT_ROLES]
    places = dict(zip(task, range(len(new) - len(task), len(new)), strict=True))
    shift = len(new) - len(old)
    shown = {
        places[at] if at in places else at + shift: message
        for at, message in record.replacements.items()
        if at in places or at >= len(old)
    }
    return record.model_copy(update={"replacements": shown})


async def _restore_tools(recorder: RunRecorder) -> None:
    """Give the tools the files and states that they had in an earlier process."""
    journal, position = recorder.journal, recorder.state.position
    assert journal is not None, "what is restored comes from a journal"
    digests = {path: digest for path, digest in position.files.items() if digest is not None}
    files = {path: await journal.blob(digest) for path, digest in digests.items()}
    await recorder.toolbox.restore_files(files)
    recorder.toolbox.restore(position.tool_changes)


def _require_journal(agent: AgentConfig[Any]) -> Journal:
    if agent.journal is None:
        raise JournalError(
            "this agent does not have a journal: write Agent(..., journal=SQLiteJournal()), and "
            "its runs can be resumed"
        )
    return agent.journal

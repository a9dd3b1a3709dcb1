"""Whatever ends a run carries the run's facts, and a CancelledError alone cancels nothing."""

from __future__ import annotations

import asyncio
import json
import pickle
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any, Self

import anyio
import pytest

from ossia.agent import (
    Agent,
    Limits,
    MemoryJournal,
    RunFacts,
    Sampled,
    TurnRequest,
)
from ossia.agent.testing import (
    Reply,
    ScriptedEngine,
    answer_turn,
    call_turn,
    open_fake_vllm,
    python_turn,
)
from ossia.errors import (
    EngineError,
    JournalError,
    LimitExceeded,
    OssiaError,
    OutputError,
    RunCancelled,
    RunError,
    SandboxDiedError,
    SandboxUnavailableError,
    ToolRetry,
)
from ossia.harmony import Message, ToolNamespace, decode
from ossia.sandbox import SandboxPool, UnsafeLocalSandbox
from ossia.tools import OpenTool, PythonTool, RunContext, Tool, ToolReturn

Raise = Callable[[], None]

STRAY = [asyncio.CancelledError, GeneratorExit]
"""What a run turns into a failure if nobody cancelled it."""


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


CALL = call_turn("add", a=2, b=3, reasoning="Let me add.")


class RaisingEngine(ScriptedEngine):
    """Plays its script; then samples the beginning of an answer and raises."""

    def __init__(self, error: BaseException, turns: Any = (CALL,)) -> None:
        super().__init__(turns)
        self.error = error
        self.turns_left = len(turns)

    async def generate(self, request: TurnRequest) -> AsyncGenerator[Sampled]:
        self.turns_left -= 1
        if self.turns_left >= 0:
            async for piece in super().generate(request):
                yield piece
            return
        yield Sampled(tokens=tuple(answer_turn("It is", reasoning="Five.")[:-1]))
        raise self.error


def tool_that_raises(error: BaseException, *, is_async: bool) -> Any:
    def stop() -> None:
        """Stop."""
        raise error

    async def stop_async() -> None:
        """Stop."""
        raise error

    stop_async.__name__ = "stop"
    return stop_async if is_async else stop


def output_function_that_raises(error: BaseException, *, is_async: bool) -> Any:
    def total(value: int) -> int:
        """Total."""
        raise error

    async def total_async(value: int) -> int:
        """Total."""
        raise error

    return total_async if is_async else total


async def failure_of(agent: Agent[Any], task: str = "2 + 3?") -> BaseException:
    """Run a task, and return what ends the run. It must have the run's facts, pickled or not."""
    with pytest.raises(BaseException) as raised:  # noqa: PT011 - the caller checks it
        await agent.run(task, run_id="r1")
    check_facts(raised.value, task)
    check_facts(pickle.loads(pickle.dumps(raised.value)), task)
    return raised.value


def check_facts(error: BaseException, task: str) -> None:
    facts = RunFacts.of(error)
    assert facts is not None
    assert facts.run_id == "r1"
    assert task in [message.text for message in facts.messages]
    assert facts.usage.steps > 0
    if isinstance(error, OssiaError):
        assert (error.run_id, error.messages, error.usage) == (
            facts.run_id,
            facts.messages,
            facts.usage,
        )


# What ends a run.


@pytest.mark.parametrize(
    "error", [EngineError("on fire", url="http://x", status=500), ZeroDivisionError("a bug")]
)
async def test_an_exception_of_the_engine_carries_the_facts(error: Exception) -> None:
    journal = MemoryJournal()
    agent = Agent(RaisingEngine(error), tools=[add], journal=journal)
    assert await failure_of(agent) is error
    facts = RunFacts.of(error)
    assert facts is not None
    assert [message.text for message in facts.messages if message.role == "tool"] == ["5"]
    assert facts.usage.tool_calls == 1
    (run,) = await journal.runs()
    assert (run.status, run.failure) == ("failed", f"{type(error).__name__}: {error}")


@pytest.mark.parametrize("error", [EngineError("on fire"), ZeroDivisionError("a bug")])
async def test_what_an_engine_sampled_before_its_exception_is_journaled(error: Exception) -> None:
    agent = Agent(RaisingEngine(error), tools=[add], journal=MemoryJournal())
    await failure_of(agent)
    engine = ScriptedEngine([answer_turn("5")])
    assert (await replace(agent, engine=engine).resume("r1")).output == "5"
    assert "Five." in decode(engine.prompts[0])


def test_the_attributes_of_an_error_survive_pickling() -> None:
    error = EngineError("on fire", url="http://x", status=500)
    RunFacts("r1", (Message("user", "Hi"),)).attach(error)
    copy = pickle.loads(pickle.dumps(error))
    assert isinstance(copy, EngineError)
    assert (str(copy), copy.url, copy.status, copy.run_id) == ("on fire", "http://x", 500, "r1")
    assert copy.messages == (Message("user", "Hi"),)


@pytest.mark.parametrize("is_async", [False, True])
async def test_the_death_of_a_sandbox_carries_the_facts(is_async: bool) -> None:
    error = SandboxDiedError("out of memory")
    tool = tool_that_raises(error, is_async=is_async)
    assert await failure_of(Agent(ScriptedEngine([call_turn("stop")]), tools=[tool])) is error


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
async def test_what_ends_the_program_in_a_tool_carries_the_facts(
    kind: type[BaseException], is_async: bool
) -> None:
    error, journal = kind(3), MemoryJournal()
    tool = tool_that_raises(error, is_async=is_async)
    agent = Agent(ScriptedEngine([call_turn("stop")]), tools=[tool], journal=journal)
    assert await failure_of(agent) is error
    (run,) = await journal.runs()
    assert run.failure == f"{kind.__name__}: 3"


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
async def test_what_ends_the_program_in_an_output_function_carries_the_facts(
    kind: type[BaseException], is_async: bool
) -> None:
    error = kind(3)
    output = output_function_that_raises(error, is_async=is_async)
    engine = ScriptedEngine([answer_turn({"value": 5})])
    assert await failure_of(Agent(engine, output_type=output)) is error


@pytest.mark.parametrize("is_async", [False, True])
async def test_an_exception_of_an_output_function_carries_the_facts(is_async: bool) -> None:
    error = ZeroDivisionError("a bug")
    output = output_function_that_raises(error, is_async=is_async)
    engine = ScriptedEngine([answer_turn({"value": 5})])
    assert await failure_of(Agent(engine, output_type=output)) is error


async def test_an_output_function_may_raise_its_rejection_in_a_task_group() -> None:
    attempts: list[int] = []

    async def check(value: int) -> None:
        attempts.append(value)
        if value > 9:
            raise ToolRetry("at most nine")

    async def total(value: int) -> int:
        """Total."""
        async with anyio.create_task_group() as group:
            group.start_soon(check, value)
        return value

    engine = ScriptedEngine([answer_turn({"value": 10}), answer_turn({"value": 9})])
    agent: Agent[Any] = Agent(engine, output_type=total)
    assert (await agent.run("2 + 3?")).output == 9
    assert attempts == [10, 9]


async def test_a_limit_carries_the_facts() -> None:
    agent = Agent(ScriptedEngine([CALL] * 2), tools=[add], limits=Limits(steps=2))
    error = await failure_of(agent)
    assert isinstance(error, LimitExceeded)
    assert error.limit == "steps"
    assert pickle.loads(pickle.dumps(error)).limit == "steps"


async def test_a_rejected_output_carries_the_facts() -> None:
    agent = Agent(ScriptedEngine([answer_turn("five")] * 3), output_type=int)
    error = await failure_of(agent)
    assert isinstance(error, OutputError)
    assert pickle.loads(pickle.dumps(error)).faults == error.faults


async def test_a_tool_that_cannot_be_opened_ends_the_run_with_its_id() -> None:
    error = OSError("no such device")
    agent = Agent(ScriptedEngine([]), tools=[UnopenableTool(error)])
    with pytest.raises(OSError, match="no such device"):
        await agent.run("2 + 3?", run_id="r1")
    assert RunFacts.of(error) == RunFacts("r1")


async def test_an_error_outside_of_runs_has_no_facts() -> None:
    error = EngineError("on fire")
    assert RunFacts.of(error) is None
    assert (error.run_id, error.messages, error.usage) == ("", (), None)


# Cancellation.


class WaitingEngine(ScriptedEngine):
    """Samples the beginning of an answer, and then waits until it is cancelled."""

    def __init__(self) -> None:
        super().__init__([])
        self.is_waiting = anyio.Event()

    async def generate(self, request: TurnRequest) -> AsyncGenerator[Sampled]:
        yield Sampled(tokens=tuple(answer_turn("It is")[:-1]))
        self.is_waiting.set()
        await anyio.sleep_forever()


def check_cancelled(cancelled: BaseException) -> None:
    cause = cancelled.__cause__
    assert isinstance(cause, RunCancelled)
    for facts in (RunFacts.of(cancelled), RunFacts.of(pickle.loads(pickle.dumps(cause)))):
        assert facts is not None
        assert facts.run_id == "r1"
        texts = [message.text for message in facts.messages]
        assert "2 + 3?" in texts
        assert texts[-1] == "It is", "what was sampled before the cancellation is there"
        assert facts.usage is not None


async def test_a_cancelled_scope_stays_a_cancellation_with_the_facts_as_its_cause() -> None:
    engine, caught = WaitingEngine(), list[BaseException]()

    async def work() -> None:
        try:
            await Agent(engine).run("2 + 3?", run_id="r1")
        except anyio.get_cancelled_exc_class() as cancelled:
            caught.append(cancelled)
            raise

    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            group.start_soon(work)
            await engine.is_waiting.wait()
            group.cancel_scope.cancel()
    check_cancelled(caught[0])


async def test_a_cancelled_task_stays_a_cancellation_with_the_facts_as_its_cause() -> None:
    engine = WaitingEngine()
    task = asyncio.get_running_loop().create_task(Agent(engine).run("2 + 3?", run_id="r1"))
    await engine.is_waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError) as raised:
        await task
    assert task.cancelled()
    check_cancelled(raised.value)


async def test_a_cancelled_output_function_stays_a_cancellation() -> None:
    is_running = anyio.Event()

    async def total(value: int) -> int:
        """Total."""
        is_running.set()
        await anyio.sleep_forever()
        return value

    agent: Agent[Any] = Agent(ScriptedEngine([answer_turn({"value": 5})]), output_type=total)
    finished = False
    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:

            async def work() -> None:
                nonlocal finished
                await agent.run("2 + 3?")
                finished = True

            group.start_soon(work)
            await is_running.wait()
            group.cancel_scope.cancel()
    assert not finished


# A CancelledError or GeneratorExit although nobody cancelled the run.


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("kind", STRAY)
async def test_a_stray_exit_in_a_tool_is_a_failure_of_the_tool(
    kind: type[BaseException], is_async: bool
) -> None:
    engine = ScriptedEngine([call_turn("stop"), answer_turn("It failed.")])
    tool = tool_that_raises(kind(), is_async=is_async)
    result = await Agent(engine, tools=[tool]).run("2 + 3?")
    assert result.output == "It failed."
    assert "Error: functions.stop failed unexpectedly" in decode(engine.prompts[1])


@pytest.mark.parametrize("kind", STRAY)
async def test_a_stray_exit_in_an_engine_is_a_failure_of_the_engine(
    kind: type[BaseException],
) -> None:
    journal, stray = MemoryJournal(), kind()
    error = await failure_of(Agent(RaisingEngine(stray), tools=[add], journal=journal))
    assert isinstance(error, EngineError)
    assert "nobody cancelled the run" in str(error)
    assert error.__cause__ is stray
    (run,) = await journal.runs()
    assert run.status == "failed"


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("kind", STRAY)
async def test_a_stray_exit_in_an_output_function_is_a_failure_of_the_run(
    kind: type[BaseException], is_async: bool
) -> None:
    journal, stray = MemoryJournal(), kind()
    output = output_function_that_raises(stray, is_async=is_async)
    engine = ScriptedEngine([answer_turn({"value": 5})])
    error = await failure_of(Agent(engine, output_type=output, journal=journal))
    assert isinstance(error, RunError)
    assert f"something in the run r1 raised {kind.__name__}" in str(error)
    assert error.__cause__ is stray
    (run,) = await journal.runs()
    assert run.status == "failed"


async def test_a_stray_exit_in_a_group_is_a_failure_too() -> None:
    stray = BaseExceptionGroup("both", [asyncio.CancelledError(), ValueError("a bug")])
    output = output_function_that_raises(stray, is_async=True)
    engine = ScriptedEngine([answer_turn({"value": 5})])
    error = await failure_of(Agent(engine, output_type=output))
    assert isinstance(error, RunError)
    assert error.__cause__ is stray


class UnopenableTool(Tool):
    """A tool that raises when a run opens it."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    @property
    def namespace(self) -> ToolNamespace:
        return ToolNamespace("unopenable")

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[OpenTool]:
        raise self.error
        yield self

    async def call(self, call: Message, context: RunContext[Any]) -> ToolReturn:
        raise NotImplementedError


@pytest.mark.parametrize("kind", STRAY)
async def test_a_stray_exit_in_a_tool_that_is_opened_is_a_failure_of_the_run(
    kind: type[BaseException],
) -> None:
    agent = Agent(ScriptedEngine([]), tools=[UnopenableTool(kind())])
    with pytest.raises(RunError, match="nobody cancelled") as raised:
        await agent.run("2 + 3?", run_id="r1")
    assert raised.value.run_id == "r1"


# Many runs.


class PickyEngine(ScriptedEngine):
    """Answers with the task, but raises if the task is `fail`."""

    def __init__(self, error: BaseException) -> None:
        super().__init__([])
        self.error = error

    async def generate(self, request: TurnRequest) -> AsyncGenerator[Sampled]:
        task = decode(request.prompt).rpartition("<|message|>")[2].partition("<|end|>")[0]
        if task == "fail":
            raise self.error
        yield Sampled(tokens=tuple(answer_turn({"value": int(task)})), finish="stop")


TASKS = ["1", "fail", "3", "4"]


@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("kind", [EngineError, ZeroDivisionError, *STRAY])
async def test_run_many_works_on_the_other_tasks_after_a_failure(
    kind: type[BaseException], ordered: bool
) -> None:
    agent = Agent(PickyEngine(kind("stop")))
    async with agent.run_many(TASKS, concurrency=1, ordered=ordered) as outcomes:
        found = [outcome async for outcome in outcomes]
    assert [outcome.index for outcome in found] == [0, 1, 2, 3]
    assert [outcome.error is None for outcome in found] == [True, False, True, True]
    facts = RunFacts.of(found[1].error or AssertionError("no error"))
    assert facts is not None
    assert facts.run_id


@pytest.mark.parametrize("kind", STRAY)
async def test_run_many_works_on_the_other_tasks_after_a_stray_exit_in_an_output_function(
    kind: type[BaseException],
) -> None:
    async def total(value: int) -> int:
        """Total."""
        if value == 3:
            raise kind
        return value

    agent: Agent[Any] = Agent(PickyEngine(EngineError("on fire")), output_type=total)
    async with agent.run_many(TASKS, concurrency=2) as outcomes:
        found = {outcome.index: outcome async for outcome in outcomes}
    assert {index: outcome.error is None for index, outcome in found.items()} == {
        0: True,
        1: False,
        2: False,
        3: True,
    }
    assert isinstance(found[2].error, RunError)


@pytest.mark.parametrize("kind", STRAY)
async def test_run_many_reports_every_task_whose_tools_cannot_be_opened(
    kind: type[BaseException],
) -> None:
    agent = Agent(ScriptedEngine([]), tools=[UnopenableTool(kind())])
    async with agent.run_many(TASKS, concurrency=1) as outcomes:
        errors = [outcome.error async for outcome in outcomes]
    assert [type(error) for error in errors] == [RunError] * len(TASKS)


async def test_run_many_does_not_drop_tasks_if_a_tool_cancels_the_task_that_runs_it() -> None:
    async def stop() -> None:
        """Stop."""
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await anyio.lowlevel.checkpoint()

    agent = Agent(ScriptedEngine([call_turn("stop")]), tools=[stop])
    with anyio.fail_after(20), pytest.raises(asyncio.CancelledError) as raised:
        async with agent.run_many(TASKS, concurrency=1) as outcomes:
            assert [outcome async for outcome in outcomes] == []
    assert isinstance(raised.value.__cause__, RunCancelled)


async def test_runs_that_one_failure_ends_have_facts_of_their_own() -> None:
    class UnavailableSandbox(UnsafeLocalSandbox):
        async def __aenter__(self) -> Self:
            raise SandboxUnavailableError("no sandbox")

    engine = ScriptedEngine([python_turn("1")] * len(TASKS))
    async with SandboxPool(make=UnavailableSandbox, size=1) as pool:
        agent = Agent(engine, tools=[PythonTool(pool.acquire)])
        async with agent.run_many(TASKS, concurrency=len(TASKS)) as outcomes:
            errors = [outcome.error async for outcome in outcomes]
    assert [type(error) for error in errors] == [SandboxUnavailableError] * len(TASKS)
    facts = [RunFacts.of(error) for error in errors if error is not None]
    assert len({fact.run_id for fact in facts if fact is not None}) == len(TASKS)


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
async def test_what_ends_the_program_ends_all_runs(kind: type[BaseException]) -> None:
    error = kind(3)
    agent = Agent(
        ScriptedEngine([call_turn("stop")] * 2), tools=[tool_that_raises(error, is_async=False)]
    )
    with anyio.fail_after(20), pytest.raises(kind) as raised:
        async with agent.run_many(TASKS, concurrency=1) as outcomes:
            assert [outcome async for outcome in outcomes] == []
    assert raised.value is error
    assert RunFacts.of(error) is not None


# The command line.


STRAY_TOOL = '''
import asyncio

async def look() -> str:
    """Look."""
    raise asyncio.CancelledError
'''

STRAY_ENGINE = """
import asyncio
from ossia.agent import VLLMEngine
from ossia.harmony import decode

generate = VLLMEngine.generate

async def generate_or_raise(self, request):
    if "fail" in decode(request.prompt):
        raise asyncio.CancelledError
    async for piece in generate(self, request):
        yield piece

VLLMEngine.generate = generate_or_raise
"""


async def run_batch(
    folder: Path, *options: str, set_up: str = ""
) -> tuple[CompletedProcess[bytes], list[dict[str, Any]]]:
    """Run `ossia batch` in a process of its own; return it and the lines of results."""
    tasks, results = folder / "tasks.txt", folder / "results.jsonl"
    tasks.write_text("first\nfail\nlast\n")
    program = f"{set_up}\nfrom ossia.agent.cli import main\nmain()"
    command = [sys.executable, "-c", program, "batch", str(tasks), str(results), *options]
    with anyio.fail_after(60):
        done = await anyio.run_process(
            [*command, "-c", "1", "--journal", str(folder / "journal.db")], check=False
        )
    lines = [json.loads(line) for line in results.read_text().splitlines()]
    return done, lines


async def test_batch_reports_a_stray_cancelled_error_of_an_engine(tmp_path: Path) -> None:
    replies = [Reply(turn=answer_turn("One.")), Reply(turn=answer_turn("Two."))]
    async with open_fake_vllm(replies) as server:
        done, lines = await run_batch(tmp_path, "--engine", server.url, set_up=STRAY_ENGINE)
    assert done.returncode == 1, done.stderr.decode()
    assert [line["task"] for line in lines] == ["first", "fail", "last"]
    assert [line.get("output") for line in lines] == ["One.", None, "Two."]
    assert "nobody cancelled the run" in lines[1]["error"]
    assert lines[1]["run_id"]


async def test_batch_answers_all_tasks_after_a_stray_cancelled_error_of_a_tool(
    tmp_path: Path,
) -> None:
    file = tmp_path / "look.py"
    file.write_text(STRAY_TOOL)
    replies = [Reply(turn=turn) for turn in [call_turn("look"), answer_turn("Done.")] * 3]
    async with open_fake_vllm(replies) as server:
        options = ["--engine", server.url, "--tool", f"{file}:look"]
        done, lines = await run_batch(tmp_path, *options)
    assert done.returncode == 0, done.stderr.decode()
    assert [(line["task"], line["output"]) for line in lines] == [
        ("first", "Done."),
        ("fail", "Done."),
        ("last", "Done."),
    ]


# The arguments of a run.


async def test_run_sync_inside_an_event_loop_says_what_to_write_instead() -> None:
    agent = Agent(ScriptedEngine([answer_turn("5")]))
    with pytest.raises(RuntimeError, match=r"`await agent\.run\(\.\.\.\)` instead"):
        agent.run_sync("2 + 3?")
    assert (await agent.run("2 + 3?")).output == "5"


def test_run_sync_has_the_arguments_of_run() -> None:
    journal = MemoryJournal()

    def name(context: RunContext[str]) -> str:
        """Name."""
        return context.deps

    engine = ScriptedEngine([call_turn("name"), answer_turn("5")])
    agent = Agent(engine, tools=[name], journal=journal)
    result = agent.run_sync("2 + 3?", deps="Ada", run_id="mine", metadata={"user": 7})
    assert result.run_id == "mine"
    assert "Ada" in [message.text for message in result.messages]
    (run,) = anyio.run(journal.runs)
    assert run.metadata == {"user": 7}


async def test_a_run_has_the_id_and_the_metadata_of_the_caller() -> None:
    journal = MemoryJournal()
    agent = Agent(ScriptedEngine([answer_turn("5")]), journal=journal)
    result = await agent.run("2 + 3?", run_id="mine", metadata={"user": 7, "tags": ["a"]})
    assert result.run_id == "mine"
    (run,) = await journal.runs()
    assert (run.run_id, run.metadata) == ("mine", {"user": 7, "tags": ["a"]})


async def test_a_run_without_a_journal_may_have_an_id_and_metadata() -> None:
    agent = Agent(ScriptedEngine([answer_turn("5"), answer_turn("6")]))
    first = await agent.run("2 + 3?", run_id="mine", metadata={"user": 7})
    second = await agent.run("2 + 4?", run_id="mine")
    assert [(first.run_id, first.output), (second.run_id, second.output)] == [
        ("mine", "5"),
        ("mine", "6"),
    ]


async def test_runs_without_an_id_get_different_ones() -> None:
    agent = Agent(ScriptedEngine([answer_turn("5"), answer_turn("6")]))
    assert (await agent.run("2 + 3?")).run_id != (await agent.run("2 + 4?")).run_id


async def test_a_second_run_of_the_same_id_continues_the_first() -> None:
    engine = ScriptedEngine([CALL, EngineError("on fire"), answer_turn("5")])
    agent = Agent(engine, tools=[add], journal=MemoryJournal())
    with pytest.raises(EngineError):
        await agent.run("2 + 3?", run_id="mine", metadata={"user": 7})
    result = await agent.run("2 + 3?", run_id="mine")
    assert (result.run_id, result.output, result.usage.tool_calls) == ("mine", "5", 1)


async def test_a_second_run_of_the_same_id_returns_the_output_of_a_finished_one() -> None:
    agent = Agent(ScriptedEngine([answer_turn("5")]), journal=MemoryJournal())
    first = await agent.run("2 + 3?", run_id="mine")
    assert (await agent.run("2 + 3?", run_id="mine")).output == first.output


async def test_a_run_id_belongs_to_one_task() -> None:
    agent = Agent(ScriptedEngine([answer_turn("5")]), journal=MemoryJournal())
    await agent.run("2 + 3?", run_id="mine")
    with pytest.raises(JournalError, match="another task") as raised:
        await agent.run("2 + 4?", run_id="mine")
    assert raised.value.run_id == "mine"

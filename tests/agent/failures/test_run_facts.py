"""Whatever ends a run carries the run's facts."""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any

import anyio
import pytest

from ossia.agent import Agent, Limits, MemoryJournal, RunFacts
from ossia.agent.testing import ScriptedEngine, answer_turn, call_turn
from ossia.errors import EngineError, LimitExceeded, OutputError, SandboxDiedError, ToolRetry
from ossia.harmony import Message, decode
from tests.agent.failures.failing import (
    CALL,
    RaisingEngine,
    UnopenableTool,
    add,
    failure_of,
    output_function_that_raises,
    tool_that_raises,
)


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

"""A cancelled run stays a cancellation; a CancelledError that nobody asked for is a failure."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import AsyncGenerator
from typing import Any

import anyio
import pytest

from ossia.agent import Agent, MemoryJournal, RunFacts, Sampled, TurnRequest
from ossia.agent.testing import ScriptedEngine, answer_turn, call_turn
from ossia.errors import EngineError, RunCancelled, RunError
from ossia.harmony import decode
from tests.agent.failures.failing import (
    STRAY,
    RaisingEngine,
    UnopenableTool,
    add,
    failure_of,
    output_function_that_raises,
    tool_that_raises,
)

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


@pytest.mark.parametrize("kind", STRAY)
async def test_a_stray_exit_in_a_tool_that_is_opened_is_a_failure_of_the_run(
    kind: type[BaseException],
) -> None:
    agent = Agent(ScriptedEngine([]), tools=[UnopenableTool(kind())])
    with pytest.raises(RunError, match="nobody cancelled") as raised:
        await agent.run("2 + 3?", run_id="r1")
    assert raised.value.run_id == "r1"

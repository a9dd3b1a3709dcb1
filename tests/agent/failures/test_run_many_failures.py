"""A run that fails does not affect the other runs of run_many."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, Self

import anyio
import pytest

from ossia.agent import Agent, RunFacts, Sampled, TurnRequest
from ossia.agent.testing import ScriptedEngine, answer_turn, call_turn, python_turn
from ossia.errors import EngineError, RunCancelled, RunError, SandboxUnavailableError
from ossia.harmony import decode
from ossia.sandbox import SandboxPool, UnsafeLocalSandbox
from ossia.tools import PythonTool
from tests.agent.failures.failing import STRAY, TASKS, UnopenableTool, tool_that_raises


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

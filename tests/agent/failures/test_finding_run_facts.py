"""`RunFacts.of` finds a run's facts in the errors that Python makes of the run's own error."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import anyio
import pytest

from ossia.agent import Agent, MemoryJournal, RunFacts, Sampled, TurnRequest
from ossia.agent.testing import ScriptedEngine
from ossia.errors import EngineError, OssiaError, RunNotFoundError


class SilentEngine:
    """An engine that never samples a token."""

    async def window(self) -> int | None:
        return None

    async def generate(self, request: TurnRequest) -> AsyncGenerator[Sampled]:
        await anyio.sleep_forever()
        yield Sampled()


async def run_within_asyncio_timeout() -> None:
    async with asyncio.timeout(0.01):
        await Agent(SilentEngine()).run("2 + 3?", run_id="late")


async def run_within_anyio_fail_after() -> None:
    with anyio.fail_after(0.01):
        await Agent(SilentEngine()).run("2 + 3?", run_id="late")


async def wait_for_run() -> None:
    await asyncio.wait_for(Agent(SilentEngine()).run("2 + 3?", run_id="late"), 0.01)


@pytest.mark.parametrize(
    "run_too_long", [run_within_asyncio_timeout, run_within_anyio_fail_after, wait_for_run]
)
async def test_a_timeout_leads_to_the_facts_of_the_run(
    run_too_long: Callable[[], Awaitable[None]],
) -> None:
    with pytest.raises(TimeoutError) as caught:
        await run_too_long()
    facts = RunFacts.of(caught.value)
    assert facts is not None
    assert facts.run_id == "late"
    assert facts.messages[-1].text == "2 + 3?"


async def test_a_group_leads_to_the_facts_of_the_one_run_in_it() -> None:
    agent = Agent(ScriptedEngine([EngineError("the engine is on fire")]))
    with pytest.raises(BaseExceptionGroup) as caught:
        async with anyio.create_task_group() as group:
            group.start_soon(agent.run, "2 + 3?")
    facts = RunFacts.of(caught.value)
    assert facts is not None
    assert facts.messages[-1].text == "2 + 3?"


async def failure_of(task: str) -> OssiaError:
    with pytest.raises(EngineError) as caught:
        await Agent(ScriptedEngine([EngineError("the engine is on fire")])).run(task)
    return caught.value


async def test_a_group_of_several_runs_has_no_facts_of_its_own() -> None:
    failures = [await failure_of("2 + 3?"), await failure_of("4 + 5?")]
    group = ExceptionGroup("both failed", failures)
    assert RunFacts.of(group) is None
    facts = [RunFacts.of(failure) for failure in group.exceptions]
    assert [found and found.messages[-1].text for found in facts] == ["2 + 3?", "4 + 5?"]


async def test_an_error_raised_from_the_error_of_a_run_leads_to_its_facts() -> None:
    failure = await failure_of("2 + 3?")
    own = KeyError("mine")
    own.__cause__ = ValueError("between")
    own.__cause__.__cause__ = failure
    assert RunFacts.of(own) == RunFacts.of(failure)


async def test_an_error_while_another_is_handled_does_not_get_its_facts() -> None:
    agent: Agent[Any] = Agent(ScriptedEngine([EngineError("on fire")]), journal=MemoryJournal())

    async def run_then_resume_another() -> None:
        try:
            await agent.run("2 + 3?", run_id="first")
        except EngineError:
            await agent.resume("second")

    with pytest.raises(RunNotFoundError) as caught:
        await run_then_resume_another()
    assert caught.value.run_id == "second"


def test_an_error_that_is_its_own_cause_has_no_facts() -> None:
    error = ValueError("circular")
    error.__cause__ = error
    assert RunFacts.of(error) is None

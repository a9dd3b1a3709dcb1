"""What ends a stream early: its block, a failure of the run, or a cancellation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import anyio
import pytest

from ossia.agent import Agent, AnswerDelta, Event, MemoryJournal, RunFacts, Sampled, TurnRequest
from ossia.agent.testing import ScriptedEngine, answer_turn, call_turn
from ossia.errors import EngineError, OssiaError, RunCancelled
from tests.agent.run.streaming import (
    TURNS,
    WaitingEngine,
    consume,
    kinds,
    make_agent,
    running_tasks,
    take_first_delta,
)

# Leaving early.


async def test_leaving_the_block_early_ends_the_run_and_its_task() -> None:
    tasks = running_tasks()
    engine, journal = WaitingEngine(), MemoryJournal()
    async with Agent(engine, journal=journal).stream("2 + 3?") as run:
        await take_first_delta(run)
        assert running_tasks() > tasks
    assert engine.was_closed
    assert running_tasks() == tasks
    (summary,) = await journal.runs()
    assert summary.status == "unfinished"


async def test_a_block_that_takes_no_event_ends() -> None:
    tasks = running_tasks()
    with anyio.fail_after(20):
        async with make_agent().stream("2 + 3?"):
            pass
    assert running_tasks() == tasks


async def test_returning_from_the_block_ends_the_run() -> None:
    async def first_delta(engine: WaitingEngine) -> str:
        async with Agent(engine).stream("2 + 3?") as run:
            async for event in run:
                if isinstance(event, AnswerDelta):
                    return event.text
        return ""

    engine = WaitingEngine()
    assert (await first_delta(engine)).startswith("It")
    assert engine.was_closed


async def test_closing_a_generator_around_a_stream_ends_the_run() -> None:
    engine = WaitingEngine()

    async def texts() -> AsyncGenerator[str]:
        async with Agent(engine).stream("2 + 3?") as run:
            async for event in run:
                if isinstance(event, AnswerDelta):
                    yield event.text

    tasks = running_tasks()
    async with aclosing(texts()) as generator:
        async for _ in generator:
            break
    assert engine.was_closed
    assert running_tasks() == tasks


@pytest.mark.parametrize("kind", [ZeroDivisionError, KeyboardInterrupt, SystemExit])
async def test_an_exception_in_the_block_ends_the_run_and_is_raised_as_it_is(
    kind: type[BaseException],
) -> None:
    tasks = running_tasks()
    engine, error = WaitingEngine(), kind("stop")

    async def fail_in_the_block() -> None:
        async with Agent(engine).stream("2 + 3?") as run:
            await take_first_delta(run)
            raise error

    with pytest.raises(kind) as raised:
        await fail_in_the_block()
    assert raised.value is error
    assert engine.was_closed
    assert running_tasks() == tasks


# Failures of the run.


async def test_an_exception_in_the_run_is_raised_by_the_iteration() -> None:
    error = EngineError("on fire")
    tasks = running_tasks()
    events: list[Event] = []
    with pytest.raises(EngineError) as raised:
        await consume(make_agent([TURNS[0], error]), events)
    assert raised.value is error
    assert {event.run_id for event in events} == {error.run_id}
    assert kinds(events)[-3:] == ["tool_call_finished", "step_finished", "step_started"]
    assert running_tasks() == tasks


async def test_a_caught_exception_of_the_run_does_not_end_the_block() -> None:
    async with make_agent([EngineError("on fire")]).stream("2 + 3?") as run:
        for _ in range(2):
            with pytest.raises(EngineError, match="on fire"):
                async for _ in run:
                    pass
        await anyio.lowlevel.checkpoint()
        with pytest.raises(EngineError, match="on fire"):
            _ = run.result


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
async def test_what_ends_the_program_reaches_the_consumer(kind: type[BaseException]) -> None:
    def stop() -> None:
        """Stop."""
        raise kind("stop")

    agent = Agent(ScriptedEngine([call_turn("stop")]), tools=[stop])
    events: list[Event] = []
    with pytest.raises(kind) as raised:
        await consume(agent, events)
    facts = RunFacts.of(raised.value)
    assert facts is not None
    assert facts.run_id == events[0].run_id


async def test_a_stray_cancelled_error_reaches_the_consumer_as_a_failure() -> None:
    class StrayEngine(ScriptedEngine):
        async def generate(self, request: TurnRequest) -> AsyncGenerator[Sampled]:
            yield Sampled(tokens=tuple(answer_turn("It is")[:-1]))
            raise asyncio.CancelledError

    with anyio.fail_after(20), pytest.raises(OssiaError, match="nobody cancelled"):
        await consume(Agent(StrayEngine([])))


# Cancellation from outside.


async def test_cancelling_a_scope_around_the_block_ends_the_run() -> None:
    tasks = running_tasks()
    engine, journal = WaitingEngine(), MemoryJournal()
    caught: list[BaseException] = []
    with anyio.CancelScope() as scope:
        try:
            async with Agent(engine, journal=journal).stream("2 + 3?", run_id="r1") as run:
                async for event in run:
                    if isinstance(event, AnswerDelta):
                        scope.cancel()
        except anyio.get_cancelled_exc_class() as cancelled:
            caught.append(cancelled)
            raise
    assert scope.cancelled_caught
    assert engine.was_closed
    assert running_tasks() == tasks
    assert isinstance(caught[0].__cause__, RunCancelled)
    facts = RunFacts.of(caught[0])
    assert facts is not None
    assert facts.run_id == "r1"
    assert "2 + 3?" in [message.text for message in facts.messages]


async def test_cancelling_the_task_of_the_consumer_ends_the_run() -> None:
    engine = WaitingEngine()
    before = running_tasks()
    task = asyncio.get_running_loop().create_task(consume(Agent(engine)))
    await engine.is_waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert engine.was_closed
    assert running_tasks() == before


async def test_a_deadline_around_the_block_ends_the_run() -> None:
    engine = WaitingEngine()

    async def set_the_deadline(scope: anyio.CancelScope) -> None:
        await engine.is_waiting.wait()
        scope.deadline = anyio.current_time()

    scope = anyio.CancelScope()
    async with anyio.create_task_group() as group:
        group.start_soon(set_the_deadline, scope)
        with scope:
            await consume(Agent(engine))
    assert scope.cancelled_caught
    assert engine.was_closed

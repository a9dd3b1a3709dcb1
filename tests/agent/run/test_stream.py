"""Streams: every event of a run in order, and what ends the run early."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import anyio
import pytest

from ossia.agent import (
    Agent,
    AnswerDelta,
    Event,
    Hook,
    MemoryJournal,
    RunFacts,
    RunFinished,
    RunStarted,
    RunStream,
    Sampled,
    ToolCallFinished,
    ToolCallReady,
    TurnRequest,
)
from ossia.agent.testing import ScriptedEngine, answer_turn, call_turn
from ossia.errors import EngineError, OssiaError, RunCancelled

TURNS = [call_turn("add", a=2, b=3, reasoning="Let me add."), answer_turn("It is 5.")]


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def make_agent(turns: Sequence[Any] = TURNS, *, chunk: int = 1, **options: Any) -> Agent[str]:
    return Agent(ScriptedEngine(turns, chunk=chunk), tools=[add], **options)


def kinds(events: Sequence[Event]) -> list[str]:
    """Return the kinds of events; a row of deltas of one kind counts once."""
    found = [event.kind for event in events]
    return [kind for at, kind in enumerate(found) if at == 0 or found[at - 1] != kind]


class WaitingEngine(ScriptedEngine):
    """Samples the beginning of an answer, waits until `resume` is set, and samples the rest."""

    def __init__(self) -> None:
        super().__init__([])
        self.is_waiting = anyio.Event()
        self.resume = anyio.Event()
        self.was_closed = False

    async def generate(self, request: TurnRequest) -> AsyncGenerator[Sampled]:
        try:
            tokens = answer_turn("It is 5.")
            yield Sampled(tokens=tuple(tokens[:5]))
            self.is_waiting.set()
            await self.resume.wait()
            yield Sampled(tokens=tuple(tokens[5:]), finish="stop")
        finally:
            self.was_closed = True


async def consume(agent: Agent[Any], events: list[Event] | None = None) -> None:
    """Stream a run to its end; add its events to a list."""
    async with agent.stream("2 + 3?") as run:
        async for event in run:
            if events is not None:
                events.append(event)


async def take_first_delta(run: RunStream[Any]) -> None:
    """Take events up to the first piece of the answer."""
    async for event in run:
        if isinstance(event, AnswerDelta):
            return


def running_tasks() -> set[asyncio.Task[Any]]:
    return asyncio.all_tasks()


# Events and result.


async def test_events_arrive_in_the_order_of_the_run() -> None:
    async with make_agent().stream("2 + 3?") as run:
        events = [event async for event in run]
    assert kinds(events) == [
        "run_started",
        "step_started",
        "reasoning_delta",
        "tool_call_started",
        "tool_call_arguments_delta",
        "tool_call_ready",
        "tool_call_finished",
        "step_finished",
        "step_started",
        "answer_delta",
        "step_finished",
        "run_finished",
    ]
    assert [event.step for event in events] == sorted(event.step for event in events)
    assert [event.at_s for event in events] == sorted(event.at_s for event in events)
    assert {event.run_id for event in events} == {run.run_id}


async def test_the_result_of_a_stream_is_that_of_the_last_event() -> None:
    async with make_agent().stream("2 + 3?") as run:
        events = [event async for event in run]
    last = events[-1]
    assert isinstance(last, RunFinished)
    assert run.result is last.result
    assert (run.result.output, run.result.run_id) == ("It is 5.", run.run_id)


async def test_the_result_is_there_inside_the_block_once_the_iteration_ends() -> None:
    async with make_agent().stream("2 + 3?") as run:
        async for _ in run:
            pass
        assert run.result.output == "It is 5."


@pytest.mark.parametrize("chunk", [1, 7, 1000])
async def test_nothing_is_lost(chunk: int) -> None:
    text = " ".join(str(number) for number in range(2000))
    async with make_agent([answer_turn(text)], chunk=chunk).stream("Count.") as run:
        deltas = [event.text async for event in run if isinstance(event, AnswerDelta)]
    assert "".join(deltas) == text == run.result.output


async def test_every_observer_gets_each_event_once() -> None:
    class Watcher(Hook):
        def __init__(self) -> None:
            self.events: list[Event] = []

        async def on_event(self, event: Event) -> None:
            self.events.append(event)

    watchers = [Watcher(), Watcher()]
    async with make_agent(hooks=watchers).stream("2 + 3?") as run:
        streamed = [event async for event in run]
    for watcher in watchers:
        assert [id(event) for event in watcher.events] == [id(event) for event in streamed]
    assert len(set(map(id, streamed))) == len(streamed)


async def test_run_id_and_metadata_are_those_of_the_caller() -> None:
    journal = MemoryJournal()
    agent = make_agent(journal=journal)
    async with agent.stream("2 + 3?", run_id="mine", metadata={"user": 7}) as run:
        assert run.run_id == "mine"
        events = [event async for event in run]
    assert {event.run_id for event in events} == {"mine"}
    (summary,) = await journal.runs()
    assert (summary.run_id, summary.metadata) == ("mine", {"user": 7})


@pytest.mark.parametrize("taken", [0, 1, 5])
async def test_the_result_before_the_end_is_a_clear_error(taken: int) -> None:
    async with make_agent().stream("2 + 3?") as run:
        for _ in range(taken):
            await anext(run)
        with pytest.raises(RuntimeError, match="async for event in run") as raised:
            _ = run.result
        assert "await agent.run(...)" in str(raised.value)


async def test_the_result_of_a_stream_that_was_left_early_is_a_clear_error() -> None:
    async with make_agent().stream("2 + 3?") as run:
        await anext(run)
    with pytest.raises(RuntimeError, match="the run has not finished"):
        _ = run.result


# Iterating.


async def test_a_second_loop_continues_where_the_first_one_stopped() -> None:
    async with make_agent().stream("2 + 3?") as run:
        first: list[Event] = []
        async for event in run:
            first.append(event)
            if isinstance(event, ToolCallReady):
                break
        second = [event async for event in run]
    assert isinstance(second[0], ToolCallFinished)
    assert kinds([*first, *second])[0] == "run_started"
    assert run.result.output == "It is 5."


async def test_a_loop_after_the_end_is_empty() -> None:
    async with make_agent().stream("2 + 3?") as run:
        assert [event async for event in run]
        assert [event async for event in run] == []
    assert [event async for event in run] == []


async def test_two_consumers_share_the_events() -> None:
    taken: list[Event] = []

    async def take_all(run: RunStream[str]) -> None:
        taken.extend([event async for event in run])

    with anyio.fail_after(20):
        async with make_agent().stream("2 + 3?") as run, anyio.create_task_group() as group:
            group.start_soon(take_all, run)
            group.start_soon(take_all, run)
    assert len(set(map(id, taken))) == len(taken)
    assert kinds(taken)[0] == "run_started"
    assert kinds(taken)[-1] == "run_finished"


async def test_cancelling_a_wait_for_an_event_does_not_end_the_run() -> None:
    engine, scope = WaitingEngine(), anyio.CancelScope()
    first: list[Event] = []
    second: list[Event] = []

    async def take(run: RunStream[str]) -> None:
        with scope:
            while True:
                first.append(await anext(run))

    with anyio.fail_after(20):
        async with Agent(engine).stream("2 + 3?") as run, anyio.create_task_group() as group:
            group.start_soon(take, run)
            await engine.is_waiting.wait()
            await anyio.wait_all_tasks_blocked()
            scope.cancel()
            await anyio.wait_all_tasks_blocked()
            assert not engine.was_closed
            engine.resume.set()
            second += [event async for event in run]
    deltas = [event.text for event in [*first, *second] if isinstance(event, AnswerDelta)]
    assert "".join(deltas) == run.result.output == "It is 5."


async def test_a_cancelled_scope_takes_no_event() -> None:
    events: list[Event] = []
    async with make_agent().stream("2 + 3?") as run:
        while not events or not isinstance(events[-1], RunFinished):
            with anyio.CancelScope() as scope:
                scope.cancel()
                await anext(run)
            assert scope.cancelled_caught
            events.append(await anext(run))
    deltas = [event.text for event in events if isinstance(event, AnswerDelta)]
    assert "".join(deltas) == run.result.output == "It is 5."


async def test_the_run_waits_for_its_consumer_before_it_calls_a_tool() -> None:
    calls: list[str] = []

    def look() -> str:
        """Look."""
        calls.append("look")
        return "seen"

    agent = Agent(ScriptedEngine([call_turn("look"), answer_turn("Done.")]), tools=[look])
    async with agent.stream("Look.") as run:
        async for event in run:
            if isinstance(event, ToolCallReady):
                await anyio.wait_all_tasks_blocked()
                break
    assert calls == []


async def test_a_slow_consumer_holds_up_the_run() -> None:
    sampled = 0

    class CountingEngine(ScriptedEngine):
        async def generate(self, request: TurnRequest) -> AsyncGenerator[Sampled]:
            nonlocal sampled
            async with aclosing(super().generate(request)) as pieces:
                async for piece in pieces:
                    sampled += len(piece.tokens)
                    yield piece

    turn = answer_turn(" ".join(str(number) for number in range(2000)))
    async with Agent(CountingEngine([turn])).stream("Count.") as run:
        first = [await anext(run) for _ in range(3)]
        await anyio.wait_all_tasks_blocked()
        assert sampled < 300 < len(turn), "only a bounded number of deltas is buffered"
        rest = [event async for event in run]
    assert sampled == len(turn)
    assert kinds(rest)[-1] == "run_finished"
    deltas = [event.text for event in [*first, *rest] if isinstance(event, AnswerDelta)]
    assert "".join(deltas) == run.result.output


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


# Resumed runs.


async def test_a_resumed_stream_starts_where_the_run_stopped() -> None:
    agent = make_agent([TURNS[0], EngineError("on fire")], journal=MemoryJournal())
    with pytest.raises(EngineError):
        await agent.run("2 + 3?", run_id="r1")
    repaired = replace(agent, engine=ScriptedEngine([TURNS[1]]))
    async with repaired.stream_resumed("r1") as run:
        events = [event async for event in run]
    started = events[0]
    assert isinstance(started, RunStarted)
    assert (started.is_resumed, started.run_id) == (True, "r1")
    assert kinds(events) == [
        "run_started",
        "step_started",
        "answer_delta",
        "step_finished",
        "run_finished",
    ]
    assert run.result.output == "It is 5."


async def test_a_resumed_stream_of_a_finished_run_has_its_result() -> None:
    agent = make_agent(journal=MemoryJournal())
    await agent.run("2 + 3?", run_id="r1")
    async with agent.stream_resumed("r1") as run:
        events = [event async for event in run]
    assert kinds(events) == ["run_started", "run_finished"]
    assert run.result.output == "It is 5."


async def test_leaving_a_stream_early_leaves_a_run_that_can_be_resumed() -> None:
    agent = make_agent(journal=MemoryJournal())
    async with agent.stream("2 + 3?", run_id="r1") as run:
        async for event in run:
            if isinstance(event, ToolCallFinished):
                break
    async with agent.stream_resumed("r1") as run:
        events = [event async for event in run]
    assert "tool_call_ready" not in kinds(events)
    assert run.result.output == "It is 5."
    assert run.result.usage.tool_calls == 1

"""A stream gives every event of a run in order, then its result."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

import anyio
import pytest

from ossia.agent import (
    Agent,
    AnswerDelta,
    Event,
    Hook,
    MemoryJournal,
    RunFinished,
    RunStarted,
    RunStream,
    Sampled,
    ToolCallFinished,
    ToolCallReady,
    TurnRequest,
)
from ossia.agent.testing import ScriptedEngine, answer_turn, call_turn
from ossia.errors import EngineError
from tests.agent.run.streaming import TURNS, WaitingEngine, kinds, make_agent

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

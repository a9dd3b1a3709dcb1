"""In which order hooks run, and that they run in every kind of run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ossia.agent import Agent, Hook, MemoryJournal, Refusal, RunFinished, RunStarted
from ossia.agent.testing import ScriptedEngine, answer_turn, call_turn
from ossia.errors import GuardrailTripped
from ossia.harmony import decode
from ossia.tools import ToolCall, ToolResult, ToolRetry
from tests.agent.hooks.sample_hooks import Raiser, Recorder, make_agent, with_arguments, with_text

# Order.


async def test_a_hook_that_overrides_nothing_changes_nothing() -> None:
    result = await make_agent(Hook()).run("2 + 3?")
    assert result.output == "5"


async def test_methods_run_once_for_each_turn_call_and_output() -> None:
    hook = Recorder()
    await make_agent(hook).run("2 + 3?")
    assert hook.log == [
        "before_turn",
        "before_tool_call",
        "after_tool_call",
        "before_turn",
        "before_output",
    ]


async def test_hooks_run_in_the_order_of_the_list() -> None:
    log: list[str] = []
    await make_agent(Recorder("first ", log), Recorder("second ", log)).run("2 + 3?")
    methods = ["before_turn", "before_tool_call", "after_tool_call", "before_turn", "before_output"]
    assert log == [f"{name} {method}" for method in methods for name in ("first", "second")]


class Appender(Hook):
    """Adds its letter to arguments, results and outputs."""

    def __init__(self, letter: str) -> None:
        self.letter = letter

    async def before_tool_call(self, call: ToolCall) -> ToolCall | Refusal | None:
        return with_arguments(call, call.message.text.replace('"}', f'{self.letter}"}}'))

    async def after_tool_call(self, call: ToolCall, result: ToolResult) -> ToolResult | None:
        return with_text(result, result.message.text + self.letter)

    async def before_output(self, output: Any) -> Any | None:
        return output + self.letter


async def test_each_hook_sees_the_changes_of_those_before_it() -> None:
    def echo(text: str) -> str:
        """Echo."""
        return f"{text}|"

    turns = [call_turn("echo", text="x"), answer_turn("y")]
    engine = ScriptedEngine(turns)
    agent = Agent(engine, tools=[echo], hooks=[Appender("a"), Appender("b")])
    result = await agent.run("Go")
    assert "xab|ab" in decode(engine.prompts[1])
    assert result.output == "yab"


# All ways to run an agent.


async def test_hooks_see_each_event_of_a_run_once() -> None:
    first, second = Recorder(), Recorder()
    await make_agent(first, second).run("2 + 3?")
    assert isinstance(first.events[0], RunStarted)
    assert isinstance(first.events[-1], RunFinished)
    assert len(set(map(id, first.events))) == len(first.events)
    assert [id(event) for event in first.events] == [id(event) for event in second.events]


async def test_hooks_and_a_stream_see_the_same_events() -> None:
    hook = Recorder()
    async with make_agent(hook).stream("2 + 3?") as run:
        streamed = [event async for event in run]
    assert [id(event) for event in streamed] == [id(event) for event in hook.events]
    assert hook.log.count("before_turn") == 2


async def test_hooks_run_in_a_resumed_run() -> None:
    journal = MemoryJournal()
    stopped = make_agent(Raiser("before_output", GuardrailTripped("stop")), journal=journal)
    with pytest.raises(GuardrailTripped):
        await stopped.run("2 + 3?", run_id="r1")
    hook = Recorder()
    resumed = replace(stopped, hooks=[hook], engine=ScriptedEngine([]))
    assert (await resumed.resume("r1")).output == "5"
    assert hook.log == ["before_output"]
    assert hook.events[0] == RunStarted(
        run_id="r1", step=2, at_s=hook.events[0].at_s, is_resumed=True
    )


async def test_hooks_run_for_every_message_of_a_chat() -> None:
    hook = Recorder()
    turns = [answer_turn("One."), answer_turn("Two."), answer_turn("Three.")]
    async with make_agent(hook, turns=turns).chat() as chat:
        await chat.say("1?")
        await chat.say("2?")
        async with chat.stream("3?") as run:
            streamed = [event async for event in run]
    assert hook.log == ["before_turn", "before_output"] * 3
    assert [event.kind for event in hook.events].count("run_finished") == 3
    assert [id(event) for event in hook.events[-len(streamed) :]] == [*map(id, streamed)]


async def test_a_chat_can_continue_after_a_guardrail() -> None:
    class NoSwearing(Hook):
        async def before_output(self, output: Any) -> Any | None:
            if "damn" in output:
                raise GuardrailTripped("do not swear")
            return None

    turns = [answer_turn("damn"), answer_turn("Sorry.")]
    async with make_agent(NoSwearing(), turns=turns).chat() as chat:
        with pytest.raises(GuardrailTripped):
            await chat.say("Hi")
        assert (await chat.say("What?")).output == "Sorry."


async def test_hooks_run_in_run_many_and_stop_one_run_alone() -> None:
    class OnlyEven(Recorder):
        async def before_output(self, output: Any) -> Any | None:
            self.note("before_output")
            if int(output) % 2:
                raise GuardrailTripped(f"{output} is odd")
            return None

    hook = OnlyEven()
    turns = [answer_turn(str(number)) for number in range(4)]
    async with make_agent(hook, turns=turns).run_many(
        map(str, range(4)), concurrency=1
    ) as outcomes:
        found = [outcome async for outcome in outcomes]
    assert [outcome.error is None for outcome in found] == [True, False, True, False]
    assert isinstance(found[1].error, GuardrailTripped)
    assert hook.log.count("before_output") == 4
    started = [event for event in hook.events if isinstance(event, RunStarted)]
    assert len({event.run_id for event in started}) == 4


async def test_a_tool_error_inside_a_hook_ends_the_run() -> None:
    error = ToolRetry("try again")
    with pytest.raises(ToolRetry) as raised:
        await make_agent(Raiser("before_tool_call", error)).run("2 + 3?")
    assert raised.value is error

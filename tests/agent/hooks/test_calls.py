"""What a hook can do with tool calls and their results."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ossia.agent import Agent, Hook, Limits, MemoryJournal, Refusal, ToolCallFinished
from ossia.agent.testing import ScriptedEngine, answer_turn, call_turn
from ossia.harmony import decode
from ossia.tools import Attachment, ToolCall, ToolResult, ToolReturn
from tests.agent.hooks.sample_hooks import (
    TURNS,
    Adder,
    Recorder,
    add,
    make_agent,
    with_arguments,
    with_text,
)


async def test_a_hook_can_change_the_arguments_of_a_call() -> None:
    class Doubler(Hook):
        async def before_tool_call(self, call: ToolCall) -> ToolCall | Refusal | None:
            return with_arguments(call, '{"a": 4, "b": 6}')

    adder, journal = Adder(), MemoryJournal()
    engine = ScriptedEngine(TURNS)
    agent = Agent(engine, tools=adder.tools(), hooks=[Doubler()], journal=journal)
    result = await agent.run("2 + 3?")
    assert adder.calls == [(4, 6)]
    prompt = decode(engine.prompts[1])
    assert '{"a": 2, "b": 3}' in prompt, "the transcript keeps what the model wrote"
    assert '{"a": 4, "b": 6}' not in prompt
    assert "10" in [message.text for message in result.messages if message.role == "tool"]


async def test_a_call_with_changed_arguments_is_validated() -> None:
    class Breaker(Hook):
        async def before_tool_call(self, call: ToolCall) -> ToolCall | Refusal | None:
            return with_arguments(call, '{"a": "two"}')

    adder = Adder()
    engine = ScriptedEngine(TURNS)
    await Agent(engine, tools=adder.tools(), hooks=[Breaker()]).run("2 + 3?")
    assert adder.calls == []
    assert "Error: " in decode(engine.prompts[1])


class Refuser(Hook):
    """Refuses every call of a tool."""

    def __init__(self, tool: str = "functions.add") -> None:
        self.tool = tool

    async def before_tool_call(self, call: ToolCall) -> ToolCall | Refusal | None:
        return Refusal("adding is not allowed") if call.name == self.tool else None


async def test_a_refused_call_does_not_run_and_the_model_reads_why() -> None:
    adder, after = Adder(), Recorder()
    engine = ScriptedEngine(TURNS)
    agent = Agent(engine, tools=adder.tools(), hooks=[Refuser(), after])
    result = await agent.run("2 + 3?")
    assert adder.calls == []
    assert "<|message|>Error: adding is not allowed<|end|>" in decode(engine.prompts[1])
    assert after.log == ["before_turn", "before_turn", "before_output"]
    (finished,) = [event for event in after.events if isinstance(event, ToolCallFinished)]
    assert (finished.text, finished.failed) == ("Error: adding is not allowed", True)
    assert result.usage.tool_calls == 0
    assert result.output == "5"


async def test_a_refused_call_does_not_count_for_the_limits() -> None:
    turns = [*[call_turn("add", a=2, b=3)] * 3, answer_turn("5")]
    limits = Limits(tool_calls=1, calls_of={"functions.add": 1})
    result = await make_agent(Refuser(), turns=turns, limits=limits).run("2 + 3?")
    assert result.output == "5"


async def test_a_hook_sees_calls_of_tools_that_do_not_exist() -> None:
    hook = Recorder()
    turns = [call_turn("subtract", a=2, b=3), answer_turn("5")]
    await make_agent(hook, turns=turns).run("2 - 3?")
    assert hook.log[1:3] == ["before_tool_call", "after_tool_call"]


async def test_a_hook_can_change_a_result() -> None:
    class Redactor(Hook):
        async def after_tool_call(self, call: ToolCall, result: ToolResult) -> ToolResult | None:
            return with_text(replace(result, failed=True), "[redacted]")

    engine, journal, watcher = ScriptedEngine(TURNS), MemoryJournal(), Recorder()
    agent = Agent(engine, tools=[add], hooks=[Redactor(), watcher], journal=journal)
    result = await agent.run("2 + 3?")
    assert "<|message|>[redacted]<|end|>" in decode(engine.prompts[1])
    (finished,) = [event for event in watcher.events if isinstance(event, ToolCallFinished)]
    assert (finished.text, finished.failed) == ("[redacted]", True)
    assert '"5"' not in repr(await journal.read(result.run_id)), "the result is not journaled"
    texts = [message.text for message in result.messages if message.role == "tool"]
    assert texts == ["[redacted]"]


class Withholder(Hook):
    """Refuses every result."""

    async def after_tool_call(self, call: ToolCall, result: ToolResult) -> Refusal:
        return Refusal("the sum is secret")


async def test_a_hook_can_withhold_a_result_and_the_model_reads_why() -> None:
    adder, engine, journal, watcher = Adder(), ScriptedEngine(TURNS), MemoryJournal(), Recorder()
    agent = Agent(engine, tools=adder.tools(), hooks=[Withholder(), watcher], journal=journal)
    result = await agent.run("2 + 3?")
    assert adder.calls == [(2, 3)]
    assert watcher.log == ["before_turn", "before_tool_call", "before_turn", "before_output"]
    assert "<|message|>Error: the sum is secret<|end|>" in decode(engine.prompts[1])
    (finished,) = [event for event in watcher.events if isinstance(event, ToolCallFinished)]
    assert (finished.text, finished.failed) == ("Error: the sum is secret", True)
    assert result.usage.tool_calls == 1, "the tool ran"
    assert '"5"' not in repr(await journal.read(result.run_id)), "the result is not journaled"


async def test_a_withheld_result_keeps_its_files_for_a_resumed_run() -> None:
    def write() -> ToolReturn:
        """Write a file."""
        return ToolReturn("done", attachments=(Attachment("sum.txt", b"5"),))

    journal = MemoryJournal()
    agent = make_agent(
        Withholder(), turns=[call_turn("write"), answer_turn("5")], tools=[write], journal=journal
    )
    result = await agent.run("Write 5.")
    assert [(file.path.rpartition("/")[2], file.data) for file in result.files] == [
        ("sum-1.txt", b"5")
    ]


async def test_refused_and_withheld_calls_are_logged_without_the_reason(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", logger="ossia")
    await make_agent(Refuser()).run("2 + 3?")
    await make_agent(Withholder()).run("2 + 3?")
    lines = [record.getMessage() for record in caplog.records if record.name == "ossia.tools"]
    assert [line.partition(" ")[0] for line in lines] == [
        "tool_call_refused",
        "tool_call_finished",
        "tool_call_refused",
    ]
    assert not [line for line in lines if "allowed" in line or "secret" in line]


async def test_a_hook_sees_the_exception_of_a_failed_call() -> None:
    class Reporter(Hook):
        error: BaseException | None = None

        async def after_tool_call(self, call: ToolCall, result: ToolResult) -> ToolResult | None:
            self.error = result.error
            return None

    def fail() -> None:
        """Fail."""
        raise ZeroDivisionError("no")

    hook = Reporter()
    await make_agent(hook, turns=[call_turn("fail"), answer_turn("5")], tools=[fail]).run("Go")
    assert isinstance(hook.error, ZeroDivisionError)

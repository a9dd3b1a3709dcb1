"""Context policies: the prompt of a run that outgrows the context window."""

from __future__ import annotations

import pytest

from ossia.agent import Agent, Context, MemoryJournal, PromptTrimmed, TrimContext
from ossia.agent.context.policy import Replacements
from ossia.agent.testing import ScriptedEngine, ScriptedTurn, answer_turn, call_turn, python_turn
from ossia.errors import ContextLengthError, EngineError
from ossia.harmony import Message, decode
from ossia.sandbox import UnsafeLocalSandbox
from ossia.tools import PythonTool, tool

WINDOW = 2000
FINAL = answer_turn("Done.")
SUMMARY = "Five were read: 0 to 4.<|return|>"


def read_page(n: int) -> list[int]:
    return call_turn("read", n=n)


def read_result(number: int) -> list[int]:
    return call_turn("read_tool_result", number=number)


@tool
def read(n: int) -> str:
    """Read."""
    return f"<{n}> " + " word" * 300


def long_task(turns: int, *after: ScriptedTurn) -> ScriptedEngine:
    return ScriptedEngine([*map(read_page, range(turns)), *after], chunk=1000, window=WINDOW)


async def test_the_oldest_tool_results_are_left_out_of_the_prompt_only() -> None:
    engine = long_task(8, FINAL)
    agent = Agent(engine, tools=[read], context=TrimContext(summarize=False, keep_recent=2))
    async with agent.stream("Read all.") as events:
        seen = [event async for event in events]
    trimmed = [event for event in seen if isinstance(event, PromptTrimmed)]
    assert trimmed
    assert all(event.after < event.before for event in trimmed)
    assert all(len(prompt) <= WINDOW - 500 for prompt in engine.prompts)
    result = getattr(seen[-1], "result")  # noqa: B009 - the last event is RunFinished
    assert sum(message.text.endswith("word") for message in result.messages) == 8
    last = decode(engine.prompts[-1])
    assert "This result of functions.read (" in last
    assert "<7>" in last
    assert "<0>" not in last


async def test_the_model_can_read_a_result_that_was_left_out() -> None:
    engine = long_task(6, read_result(1), read_result(40), FINAL)
    agent = Agent(engine, tools=[read], context=TrimContext(summarize=False, keep_recent=1))
    result = await agent.run("Read all.")
    before, *_, trimmed, after_reading, after_error = map(decode, engine.prompts)
    assert "read_tool_result" not in before
    assert "call functions.read_tool_result with 1.]" in trimmed
    assert "type read_tool_result = (_: {" in trimmed
    assert "<0>" not in trimmed
    assert "<0>" in after_reading
    assert "no tool result 40; tool results are numbered 1 to 7" in after_error
    assert result.usage.tool_calls == 8


async def test_the_function_is_declared_even_if_the_agent_has_no_functions() -> None:
    """Without functions there is no developer message until the function is declared."""
    engine = ScriptedEngine(
        [*(python_turn(f"print({n}, 'word ' * 300)") for n in range(7)), FINAL],
        chunk=1000,
        window=WINDOW,
    )
    context = TrimContext(summarize=False, keep_recent=1)
    tools = [PythonTool(UnsafeLocalSandbox)]
    await Agent(engine, tools=tools, context=context).run("Print.")
    first, *_, last = map(decode, engine.prompts)
    assert "<|start|>developer" not in first
    assert "Calls to these tools must go to the commentary channel" in last
    assert "<|start|>developer<|message|># Tools" in last
    assert "This result of python (" in last


async def test_a_fork_with_other_instructions_keeps_the_replacements() -> None:
    journal = MemoryJournal()
    context = TrimContext(summarize=False, keep_recent=1)
    first = long_task(7, FINAL)
    agent = Agent(first, tools=[read], context=context, journal=journal)
    whole = await agent.run("Read all.")
    # Without tools there is no developer message, so later messages have other indexes.
    engine = ScriptedEngine([FINAL], chunk=1000, window=WINDOW)
    bare = Agent(engine, context=context, journal=journal)
    await bare.fork(whole.run_id, step=7)
    before, after = decode(first.prompts[-1]), decode(engine.prompts[0])
    assert "was left out to save space" in before
    assert before.partition("<|start|>user")[2] == after.partition("<|start|>user")[2]


async def test_between_two_trims_each_prompt_extends_the_previous_one() -> None:
    engine = long_task(8, FINAL)
    await Agent(engine, tools=[read], context=TrimContext(summarize=False, keep_recent=1)).run(
        "Read."
    )
    pairs = list(zip(engine.prompts, engine.prompts[1:], strict=False))
    extends = [second[: len(first)] == first for first, second in pairs]
    assert extends.count(False) <= 3


async def test_the_model_summarizes_if_leaving_out_results_is_not_enough() -> None:
    journal = MemoryJournal()
    # With this target, leaving out results is never enough.
    context = TrimContext(keep_recent=2, target=0.1)
    engine = long_task(5, SUMMARY, FINAL)
    agent = Agent(engine, tools=[read], context=context, journal=journal)
    result = await agent.run("Read all.")
    assert result.output == "Done."
    question, after = map(decode, engine.prompts[-2:])
    assert question.endswith("<|channel|>final<|message|>")
    assert "will replace the work so far" in question
    assert "Five were read: 0 to 4." in after
    assert "<0>" not in after
    assert "<4>" in after
    assert after.index("Read all.") < after.index("Five were read")
    assert "Five were read" not in str([message.text for message in result.messages])
    assert result.usage.steps == 6


async def test_a_run_that_no_longer_fits_raises_context_length_error() -> None:
    engine = long_task(6, FINAL)
    agent = Agent(engine, tools=[read], context=TrimContext(summarize=False, keep_recent=100))
    with pytest.raises(ContextLengthError, match="a window of 2000 leaves room") as raised:
        await agent.run("Read all.")
    assert raised.value.window == WINDOW


async def test_a_resumed_run_has_the_same_prompts() -> None:
    journal = MemoryJournal()
    context = TrimContext(summarize=False, keep_recent=1)
    whole = long_task(8, FINAL)
    await Agent(whole, tools=[read], context=context).run("Read.")
    first = long_task(6, EngineError("gone"))
    with pytest.raises(EngineError):
        await Agent(first, tools=[read], context=context, journal=journal).run("Read.")
    (run,) = await journal.runs()
    second = ScriptedEngine([read_page(6), read_page(7), FINAL], chunk=1000, window=WINDOW)
    await Agent(second, tools=[read], context=context, journal=journal).resume(run.run_id)
    assert second.prompts == whole.prompts[6:]


async def test_users_can_write_their_own_policy() -> None:
    class KeepTask:
        def reserve(self, window: int) -> int:
            return 700

        async def trim(self, context: Context) -> Replacements:
            assert context.used_tokens > context.window - 700
            assert context.messages[context.opening_count - 1].text == "Read all."
            first, *others = range(context.opening_count, len(context.messages))
            return {first: Message("user", "You have read some."), **dict.fromkeys(others)}

    engine = long_task(6, FINAL)
    await Agent(engine, tools=[read], context=KeepTask()).run("Read all.")
    assert any("You have read some." in decode(prompt) for prompt in engine.prompts)


async def test_without_a_policy_nothing_is_trimmed() -> None:
    engine = long_task(6, FINAL)
    result = await Agent(engine, tools=[read], context=None).run("Read all.")
    assert result.output == "Done."

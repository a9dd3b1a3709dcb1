"""A wrong argument or a call at the wrong time raises an error that says what to do instead."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from ossia.agent import Agent, MemoryJournal
from ossia.agent.testing import ScriptedEngine, answer_turn, call_turn
from ossia.harmony import Message, decode


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


# Tasks.


@pytest.mark.parametrize("task", [None, 5, ["text"], [None], {"role": "user"}])
async def test_a_task_is_text_or_messages(task: Any) -> None:
    with pytest.raises(TypeError, match="give text, or a list of"):
        await Agent(ScriptedEngine([])).run(task)


async def test_a_task_may_be_a_conversation() -> None:
    engine = ScriptedEngine([answer_turn("6")])
    task = [Message("user", "2 + 3?"), Message("assistant", "5", channel="final")]
    await Agent(engine).run([*task, Message("user", "And one more?")])
    assert decode(engine.prompts[0]).count("<|message|>") == 4


async def test_a_wrong_task_among_many_fails_alone() -> None:
    tasks: list[Any] = ["a", None, "b"]
    agent = Agent(ScriptedEngine([answer_turn("1"), answer_turn("2")]))
    async with agent.run_many(tasks, concurrency=1, ordered=True) as outcomes:
        errors = [type(outcome.error) async for outcome in outcomes]
    assert errors == [type(None), TypeError, type(None)]


async def test_one_text_in_place_of_many_tasks_is_refused() -> None:
    with pytest.raises(TypeError, match=r"run_many\(\[task\]\)"):
        async with Agent(ScriptedEngine([])).run_many("abc"):
            pass


# Chats.


async def test_a_chat_refuses_a_message_inside_the_stream_of_another() -> None:
    engine = ScriptedEngine([answer_turn("1"), answer_turn("2")])
    async with Agent(engine).chat() as chat:
        async with chat.stream("One?") as stream:
            with pytest.raises(RuntimeError, match="still working on another message"):
                await chat.say("Two?")
            async for _event in stream:
                pass
        assert stream.result.output == "1"
        assert (await chat.say("Two?")).output == "2"


async def test_a_chat_refuses_a_message_while_it_works_on_another() -> None:
    waiting, released = anyio.Event(), anyio.Event()

    async def wait() -> str:
        """Wait."""
        waiting.set()
        await released.wait()
        return "done"

    engine = ScriptedEngine([call_turn("wait"), answer_turn("1"), answer_turn("2")])
    async with Agent(engine, tools=[wait]).chat() as chat, anyio.create_task_group() as group:
        group.start_soon(chat.say, "One?")
        await waiting.wait()
        with pytest.raises(RuntimeError, match="still working on another message"):
            await chat.say("Two?")
        released.set()
    assert [message.text for message in chat.messages if message.role == "user"] == ["One?"]


async def test_a_chat_accepts_a_message_after_a_stream_that_was_left() -> None:
    engine = ScriptedEngine([answer_turn("1"), answer_turn("2")])
    async with Agent(engine).chat() as chat:
        async with chat.stream("One?"):
            pass
        assert (await chat.say("Two?")).messages[-1].channel == "final"


async def test_a_chat_refuses_messages_after_its_block() -> None:
    async with Agent(ScriptedEngine([]), journal=MemoryJournal()).chat() as chat:
        pass
    with pytest.raises(RuntimeError, match=f"resume='{chat.run_id}'"):
        await chat.say("One?")
    with pytest.raises(RuntimeError, match="the chat has ended"):
        async with chat.stream("One?"):
            pass


# Streams.


async def test_a_stream_that_was_left_early_says_that_it_has_no_result() -> None:
    async with Agent(ScriptedEngine([answer_turn("1")])).stream("One?") as run:
        await anext(run)
        with pytest.raises(RuntimeError, match="the run has not finished: iterate over"):
            _ = run.result
    with pytest.raises(RuntimeError, match="ended when its block was left"):
        _ = run.result


# Forks.


@pytest.mark.parametrize("step", [-1, "1", 1.0])
async def test_a_fork_needs_the_number_of_a_step(step: Any) -> None:
    agent = Agent(ScriptedEngine([answer_turn("1")]), journal=MemoryJournal())
    await agent.run("One?", run_id="first")
    with pytest.raises(ValueError, match="give the number of a step"):
        await agent.fork("first", step=step)


async def test_a_fork_at_step_0_keeps_only_the_task() -> None:
    engine = ScriptedEngine([call_turn("add", a=2, b=3), answer_turn("5"), answer_turn("five")])
    agent = Agent(engine, tools=[add], journal=MemoryJournal())
    await agent.run("2 + 3?", run_id="first")
    forked = await agent.fork("first", step=0)
    assert (forked.output, forked.usage.steps) == ("five", 1)
    assert engine.prompts[2] == engine.prompts[0]

"""Many turns over one transcript, and many runs at once."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import anyio
import pytest

from ossia.agent import Agent, Limits, MemoryJournal, Sampled, TurnRequest
from ossia.agent.testing import ScriptedEngine, answer_turn, python_turn
from ossia.errors import EngineError, LimitExceeded
from ossia.harmony import decode
from ossia.sandbox import UnsafeLocalSandbox
from ossia.tools import PythonTool


def final(text: str) -> list[int]:
    return answer_turn(text, reasoning="A secret thought.")


# One conversation.


async def test_a_chat_continues_one_transcript() -> None:
    engine = ScriptedEngine([final("15846"), final("7923")])
    async with Agent(engine).chat() as chat:
        assert (await chat.say("What is 417 * 38?")).output == "15846"
        assert (await chat.say("And half of it?")).output == "7923"
    second = decode(engine.prompts[1])
    assert second.index("What is 417 * 38?") < second.index("15846") < second.index("half of it")


async def test_the_reasoning_of_answered_turns_leaves_the_prompt_of_a_chat() -> None:
    engine = ScriptedEngine([final("1"), final("2")])
    async with Agent(engine).chat() as chat:
        await chat.say("One?")
        await chat.say("Two?")
        assert sum(message.text == "A secret thought." for message in chat.messages) == 2
    assert "A secret thought." not in decode(engine.prompts[1])


async def test_tools_keep_their_state_through_a_chat() -> None:
    turns = [python_turn("x = 7"), final("Kept."), python_turn("print(x)"), final("7")]
    agent = Agent(ScriptedEngine(turns), tools=[PythonTool(UnsafeLocalSandbox)])
    async with agent.chat() as chat:
        await chat.say("Keep 7.")
        await chat.say("What was it?")
        assert [m.text for m in chat.messages if m.name == "python"][-1] == "7"


async def test_limits_count_from_zero_with_each_message_of_a_chat() -> None:
    call = python_turn("1")
    turns = [call, final("1"), call, final("2"), call, call]
    limits = Limits(steps=2)
    tools = [PythonTool(UnsafeLocalSandbox)]
    async with Agent(ScriptedEngine(turns), tools=tools, limits=limits).chat() as chat:
        await chat.say("One?")
        await chat.say("Two?")
        with pytest.raises(LimitExceeded):
            await chat.say("Three?")


async def test_a_chat_continues_after_an_error() -> None:
    engine = ScriptedEngine([EngineError("gone"), final("Back.")])
    async with Agent(engine).chat() as chat:
        with pytest.raises(EngineError):
            await chat.say("One?")
        assert (await chat.say("Still there?")).output == "Back."


async def test_a_chat_can_be_resumed() -> None:
    journal = MemoryJournal()
    async with Agent(ScriptedEngine([final("Hello, Ada.")]), journal=journal).chat() as chat:
        await chat.say("I am Ada.")
    engine = ScriptedEngine([final("Ada.")])
    async with Agent(engine, journal=journal).chat(resume=chat.run_id) as again:
        assert (await again.say("Who am I?")).output == "Ada."
    assert "I am Ada." in decode(engine.prompts[0])


# Many runs.


class Echoing:
    """An engine that answers each task with its words, in the order that the test lets it."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.most = 0
        self.now = 0
        self.gates: dict[str, anyio.Event] = {}

    async def generate(self, request: TurnRequest) -> AsyncGenerator[Sampled]:
        word = (
            decode(request.prompt).rpartition("<|start|>user<|message|>")[2].partition("<|end|>")[0]
        )
        self.started.append(word)
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            if word == "fail":
                raise EngineError("on fire")
            if word in self.gates:
                await self.gates[word].wait()
            await anyio.lowlevel.checkpoint()
            yield Sampled(tokens=tuple(final(word)), finish="stop")
        finally:
            self.now -= 1


async def test_run_many_works_on_as_many_tasks_at_once_as_asked() -> None:
    engine = Echoing()
    tasks = [f"task {number}" for number in range(50)]
    async with Agent(engine).run_many(tasks, concurrency=7) as outcomes:
        found = {outcome.index: outcome.output async for outcome in outcomes}
    assert found == dict(enumerate(tasks))
    assert engine.most <= 7


async def test_outcomes_arrive_as_runs_finish() -> None:
    engine = Echoing()
    engine.gates["slow"] = anyio.Event()
    with anyio.fail_after(20):
        async with Agent(engine).run_many(["slow", "a", "b"], concurrency=2) as outcomes:
            first = [(await anext(outcomes)).output, (await anext(outcomes)).output]
            engine.gates["slow"].set()
            last = await anext(outcomes)
    assert (first, last.output, last.index) == (["a", "b"], "slow", 0)


async def test_ordered_outcomes_do_not_pile_up_behind_a_slow_one() -> None:
    engine = Echoing()
    engine.gates["slow"] = anyio.Event()
    tasks = ["slow", *(f"task {number}" for number in range(100))]
    with anyio.fail_after(20):
        async with (
            Agent(engine).run_many(tasks, concurrency=4, ordered=True) as outcomes,
            anyio.create_task_group() as group,
        ):

            async def let_go() -> None:
                while len(engine.started) < 8:
                    await anyio.lowlevel.checkpoint()
                await anyio.wait_all_tasks_blocked()
                assert len(engine.started) == 8
                engine.gates["slow"].set()

            group.start_soon(let_go)
            assert [outcome.output async for outcome in outcomes] == tasks


async def test_a_failing_run_does_not_affect_others() -> None:
    async with Agent(Echoing()).run_many(["a", "fail", "b"], concurrency=2) as outcomes:
        found = {outcome.task: outcome async for outcome in outcomes}
    assert (found["a"].output, found["b"].output) == ("a", "b")
    assert isinstance(found["fail"].error, EngineError)
    with pytest.raises(EngineError, match="on fire"):
        _ = found["fail"].output


async def test_no_run_starts_while_nobody_takes_the_outcomes() -> None:
    engine = Echoing()
    taken: list[int] = []

    def tasks() -> object:
        for number in range(1000):
            taken.append(number)
            yield f"task {number}"

    async with Agent(engine).run_many(tasks(), concurrency=3) as outcomes:  # type: ignore[arg-type]
        await anyio.wait_all_tasks_blocked()
        assert len(taken) == 3
        await anext(outcomes)
        await anyio.wait_all_tasks_blocked()
        assert len(taken) == 4


async def test_leaving_the_block_ends_the_active_runs() -> None:
    engine = Echoing()
    engine.gates["slow"] = anyio.Event()
    with anyio.fail_after(20):
        async with Agent(engine).run_many(["slow", "a"], concurrency=2) as outcomes:
            await anext(outcomes)
    assert engine.now == 0


async def test_tasks_may_come_from_an_async_generator() -> None:
    async def arising() -> AsyncGenerator[str]:
        for word in ("a", "b"):
            await anyio.lowlevel.checkpoint()
            yield word

    async with Agent(Echoing()).run_many(arising(), ordered=True) as outcomes:
        assert [outcome.output async for outcome in outcomes] == ["a", "b"]


async def test_a_concurrency_of_zero_is_an_error() -> None:
    with pytest.raises(ValueError, match="give 1 or more"):
        async with Agent(Echoing()).run_many([], concurrency=0):
            pass

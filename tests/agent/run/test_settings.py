"""Settings of a wrong type or value are found when they are passed, with what to write instead."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ossia.agent import Agent, Hook, Limits, MemoryJournal, Sampling, VLLMEngine
from ossia.agent.testing import ScriptedEngine, answer_turn
from ossia.harmony import Message

ENGINE: Any = ScriptedEngine([])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"engine": "http://localhost:8000"},
            "the engine is 'http://localhost:8000'; pass what samples tokens, such as "
            "VLLMEngine('http://localhost:8000')",
        ),
        ({"engine": VLLMEngine}, "the engine is the class VLLMEngine; call it: VLLMEngine(...)"),
        ({"limits": 3}, "limits is 3; write Limits(steps=10), for example"),
        ({"limits": {"steps": 3}}, "limits is {'steps': 3}; write Limits(steps=10), for example"),
        ({"limits": Limits}, "limits is the class Limits; call it: Limits(...)"),
        ({"sampling": 0.5}, "sampling is 0.5; write Sampling(seed=7), for example"),
        (
            {"reasoning": "max"},
            "Agent(reasoning='max'): use one of 'low', 'medium', 'high'",
        ),
        (
            {"reasoning_budget": -1},
            "Agent(reasoning_budget=-1): use a whole number from 0, or None for no limit",
        ),
        ({"turn_retries": "2"}, "Agent(turn_retries='2'): use a whole number"),
        ({"output_retries": True}, "Agent(output_retries=True): use a whole number"),
        ({"instructions": 5}, "instructions is 5; give text"),
        ({"journal": "runs.db"}, "the journal is 'runs.db'; write SQLiteJournal(\"runs.db\")"),
        ({"journal": MemoryJournal}, "the journal is the class MemoryJournal; call it"),
        ({"hooks": [Hook]}, "a hook is the class Hook; call it: Hook(...)"),
        ({"hooks": [print]}, "hooks are objects of subclasses of Hook"),
    ],
)
def test_a_wrong_setting_of_an_agent(options: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=re.escape(message)):
        Agent(**({"engine": ENGINE} | options))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "Limits(steps=0): use a whole number from 1, or None for no limit"),
        ({"tokens": 1.5}, "Limits(tokens=1.5): use a whole number"),
        ({"tool_calls": -1}, "Limits(tool_calls=-1): use a whole number from 0"),
        ({"seconds": -1}, "Limits(seconds=-1): use a number from 0.001, or None for no limit"),
        ({"seconds": "5"}, "Limits(seconds='5'): use a number"),
        ({"seconds": float("nan")}, "Limits(seconds=nan): use a number"),
        ({"repeats": 0}, "Limits(repeats=0): use a whole number from 1"),
        ({"then": "stop"}, "Limits(then='stop'): use one of 'raise', 'answer'"),
        ({"calls_of": {"python": -1}}, "Limits(calls_of={'python': -1}): use a whole number"),
        ({"calls_of": 3}, 'Limits(calls_of=...) is 3; write {"python": 10}'),
        ({"answer_tokens": 0}, "Limits(answer_tokens=0): use a whole number from 1"),
    ],
)
def test_a_wrong_limit(options: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=re.escape(message)):
        Limits(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": 2.5}, "Sampling(temperature=2.5): use a number from 0 to 2"),
        ({"top_p": 0}, "Sampling(top_p=0): use a number from 0.001 to 1"),
        ({"max_tokens": 0}, "Sampling(max_tokens=0): use a whole number from 1"),
        ({"seed": "a"}, "Sampling(seed='a'): use a whole number"),
    ],
)
def test_a_wrong_way_of_sampling(options: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=re.escape(message)):
        Sampling(**options)


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (None, "the task is None; give text, or a list of ossia.harmony.Message"),
        (["a", "b"], "the task is ['a', 'b']; give text"),
        ("", "the task is '', which is empty"),
        ("  \n", "which is empty"),
        ([], "the task is [], which is empty"),
        ([Message("user", "")], "which is empty"),
    ],
)
async def test_a_wrong_task(task: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=re.escape(message)):
        await Agent(ENGINE).run(task)


async def test_a_message_of_a_chat_is_not_empty() -> None:
    async with Agent(ENGINE).chat() as chat:
        with pytest.raises(ValueError, match="the task is ' ', which is empty"):
            await chat.say(" ")


async def test_a_wrong_task_of_many_is_its_own_outcome() -> None:
    engine = ScriptedEngine([answer_turn("5")])
    tasks: list[Any] = [None, "2 + 3?", ""]
    async with Agent(engine).run_many(tasks, ordered=True) as outcomes:
        errors = [type(outcome.error) async for outcome in outcomes]
    assert errors == [TypeError, type(None), ValueError]


async def test_a_scripted_turn_that_is_not_harmony_says_what_to_write() -> None:
    with pytest.raises(AssertionError, match=r"is 'It is 5.', which is not harmony: write answer"):
        await Agent(ScriptedEngine(["It is 5."])).run("2 + 3?")

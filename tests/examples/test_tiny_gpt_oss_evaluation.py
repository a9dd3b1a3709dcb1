"""The evaluation counts correct runs, and only these."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import pytest

from examples.tiny_gpt_oss.data.tasks import Task, TaskOptions, make_task
from examples.tiny_gpt_oss.data.transcripts import make_sample
from examples.tiny_gpt_oss.evaluate import (
    ROWS,
    Calculation,
    Outcome,
    Row,
    cases,
    is_correct,
    run_task,
)
from examples.tiny_gpt_oss.fails_first import FailsFirst
from ossia.agent import Agent
from ossia.agent.testing import ScriptedEngine
from ossia.errors import EngineError
from ossia.harmony import Message, decode
from ossia.tools import Toolbox, tool

WEATHER = Row("weather", "weather")
WEATHER_ONLY_SEED = 0
"""With this seed a weather task does not get the python tool, which would open a sandbox."""


def turns(task: Task) -> list[list[int]]:
    """Return the tokens that a model without mistakes samples in each turn."""
    sample, found = make_sample(task), list[list[int]]()
    previous = False
    for token, sampled in zip(sample.tokens, sample.loss_mask, strict=True):
        if sampled and not previous:
            found.append([])
        if sampled:
            found[-1].append(token)
        previous = sampled
    return found


def weather_task() -> Task:
    return make_task(Random(1), "weather", TaskOptions("heldout"))


async def run_script(
    task: Task, script: Sequence[list[int] | EngineError], row: Row = WEATHER
) -> tuple[Outcome, ScriptedEngine]:
    engine = ScriptedEngine(script)
    return await run_task(Agent(engine), row, task, "medium", Random(WEATHER_ONLY_SEED)), engine


async def test_a_correct_run_counts() -> None:
    task = weather_task()
    outcome, _ = await run_script(task, turns(task))
    assert (outcome.correct, outcome.output, outcome.calls) == (True, task.final, 1)


async def test_an_answer_without_its_call_does_not_count() -> None:
    task = weather_task()
    outcome, _ = await run_script(task, turns(task)[-1:])
    assert (outcome.correct, outcome.raised, outcome.output) == (False, False, task.final)


async def test_the_weather_of_another_city_does_not_count() -> None:
    task, other = weather_task(), make_task(Random(2), "weather", TaskOptions("heldout"))
    outcome, _ = await run_script(task, turns(other))
    assert not outcome.correct


async def test_a_run_that_raises_is_counted() -> None:
    outcome, _ = await run_script(weather_task(), [EngineError("gone")])
    assert (outcome.correct, outcome.raised) == (False, True)


async def test_if_the_first_call_fails_a_second_is_expected() -> None:
    task = weather_task()
    call, final = turns(task)
    fails = Row("weather; the first call fails", "weather", first_call_fails=True)
    outcome, engine = await run_script(task, [call, call, final], fails)
    assert (outcome.correct, outcome.calls) == (True, 2)
    assert len(engine.prompts) == 3


async def test_finished_tasks_are_earlier_in_the_conversation() -> None:
    task = weather_task()
    outcome, engine = await run_script(task, turns(task), Row("", "weather", history=2))
    assert (outcome.correct, outcome.calls) == (True, 1)
    assert decode(engine.prompts[0]).count("<|start|>user<|message|>") == 3


async def test_fails_first_fails_once() -> None:
    @tool
    def ping() -> str:
        return "pong"

    call = Message("assistant", "{}", channel="commentary", recipient="functions.ping")
    async with Toolbox([FailsFirst(ping)]) as toolbox:
        results = [await toolbox.call(call) for _ in range(3)]
    assert [result.failed for result in results] == [True, False, False]
    assert results[1].message.text == "pong"


def test_json_outputs_are_compared_by_value() -> None:
    task = Task("", (), "", {"expression": '"2 * 3"', "result": "6"})
    assert is_correct(Calculation(expression="2 * 3", result=6.0), task)
    assert not is_correct(Calculation(expression="2 * 3", result=7), task)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_the_same_seed_gives_a_row_the_same_tasks(row: Row) -> None:
    first, second = ([task for task, _, _ in cases(row, 5, seed=77)] for _ in range(2))
    assert first == second
    assert len({task.user for task in first}) > 1

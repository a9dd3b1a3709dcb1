"""The evaluation itself: that it takes right for right, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import pytest

from examples.tiny_gpt_oss.evaluate import ROWS, Calculation, Outcome, Row, cases, is_right, run
from examples.tiny_gpt_oss.failing import FailsFirst
from examples.tiny_gpt_oss.tasks import Manner, Task, make_task
from examples.tiny_gpt_oss.transcripts import sample
from ossia.agent import Agent
from ossia.agent.testing import ScriptedEngine
from ossia.errors import EngineError
from ossia.harmony import Message, decode
from ossia.tools import Toolbox, tool

WEATHER = Row("weather", "weather")
ALONE = 0
"""A seed with which a weather task has no python beside it, which would open a sandbox."""


def turns(task: Task) -> list[list[int]]:
    """What a model that is always right would sample."""
    one, found = sample(task), list[list[int]]()
    before = False
    for token, learned in zip(one.tokens, one.learned, strict=True):
        if learned and not before:
            found.append([])
        if learned:
            found[-1].append(token)
        before = learned
    return found


def a_task() -> Task:
    return make_task(Random(1), "weather", Manner("heldout"))


async def evaluated(
    task: Task, script: Sequence[list[int] | EngineError], row: Row = WEATHER
) -> tuple[Outcome, ScriptedEngine]:
    engine = ScriptedEngine(script)
    return await run(Agent(engine), row, task, "medium", Random(ALONE)), engine


async def test_a_run_that_is_right_counts() -> None:
    task = a_task()
    outcome, _ = await evaluated(task, turns(task))
    assert (outcome.right, outcome.output, outcome.calls) == (True, task.final, 1)


async def test_an_answer_without_its_call_does_not_count() -> None:
    task = a_task()
    outcome, _ = await evaluated(task, turns(task)[-1:])
    assert (outcome.right, outcome.crashed, outcome.output) == (False, False, task.final)


async def test_another_place_has_no_weather() -> None:
    task, other = a_task(), make_task(Random(2), "weather", Manner("heldout"))
    outcome, _ = await evaluated(task, turns(other))
    assert not outcome.right


async def test_a_run_that_raises_is_counted_as_such() -> None:
    outcome, _ = await evaluated(a_task(), [EngineError("gone")])
    assert (outcome.right, outcome.crashed) == (False, True)


async def test_where_the_first_call_fails_a_second_is_due() -> None:
    task = a_task()
    call, final = turns(task)
    fails = Row("weather; the first call fails", "weather", fails=True)
    outcome, engine = await evaluated(task, [call, call, final], fails)
    assert (outcome.right, outcome.calls) == (True, 2)
    assert len(engine.prompts) == 3


async def test_finished_tasks_stand_before_the_one_that_counts() -> None:
    task = a_task()
    outcome, engine = await evaluated(task, turns(task), Row("", "weather", history=2))
    assert (outcome.right, outcome.calls) == (True, 1)
    assert decode(engine.prompts[0]).count("<|start|>user<|message|>") == 3


async def test_failing_first_is_failing_once() -> None:
    @tool
    def ping() -> str:
        return "pong"

    call = Message("assistant", "{}", channel="commentary", recipient="functions.ping")
    async with Toolbox([FailsFirst(ping)]) as toolbox:
        answers = [await toolbox.call(call) for _ in range(3)]
    assert [answer.failed for answer in answers] == [True, False, False]
    assert answers[1].message.text == "pong"


def test_json_is_right_by_its_values() -> None:
    task = Task("", (), "", {"expression": '"2 * 3"', "result": "6"})
    assert is_right(Calculation(expression="2 * 3", result=6.0), task)
    assert not is_right(Calculation(expression="2 * 3", result=7), task)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_rows_tasks_are_the_same_every_time(row: Row) -> None:
    one, two = ([task for task, _, _ in cases(row, 5, seed=77)] for _ in range(2))
    assert one == two
    assert len({task.user for task in one}) > 1

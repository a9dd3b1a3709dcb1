"""What a hook can do with an output."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ossia.agent import Agent, Hook, MemoryJournal, Refusal
from ossia.agent.testing import ScriptedEngine, answer_turn
from ossia.errors import OutputError
from ossia.harmony import decode
from tests.agent.hooks.sample_hooks import make_agent


async def test_a_hook_can_change_the_output() -> None:
    class Rounder(Hook):
        async def before_output(self, output: Any) -> Any | None:
            return round(output)

    agent = make_agent(Rounder(), turns=[answer_turn(4.6)], output_type=float)
    result = await agent.run("2 + 3?")
    assert result.output == 5
    assert result.messages[-1].text == "4.6"


async def test_an_output_may_be_changed_to_a_false_value() -> None:
    class Zero(Hook):
        async def before_output(self, output: Any) -> Any | None:
            return 0

    assert (await make_agent(Zero(), turns=[answer_turn(5)], output_type=int).run("?")).output == 0


class AtMost(Hook):
    """Refuses outputs above a maximum."""

    def __init__(self, maximum: int) -> None:
        self.maximum = maximum

    async def before_output(self, output: Any) -> Any | Refusal | None:
        return Refusal(f"at most {self.maximum}") if output > self.maximum else None


async def test_a_refused_output_goes_back_to_the_model_with_the_reason() -> None:
    engine = ScriptedEngine([answer_turn(11), answer_turn(9)])
    result = await Agent(engine, output_type=int, hooks=[AtMost(10)]).run("?")
    assert result.output == 9
    assert "Your answer was not accepted:\nat most 10" in decode(engine.prompts[1])


async def test_outputs_that_are_refused_too_often_end_the_run() -> None:
    agent = make_agent(AtMost(1), turns=[answer_turn(2)] * 3, output_type=int)
    with pytest.raises(OutputError, match="at most 1") as raised:
        await agent.run("?")
    assert raised.value.faults == ("at most 1",) * 3
    assert raised.value.answer == "2"


async def test_a_hook_may_refuse_an_output_that_another_process_accepted() -> None:
    journal = MemoryJournal()
    agent = make_agent(turns=[answer_turn(2)], output_type=int, journal=journal)
    run_id = (await agent.run("?")).run_id
    with pytest.raises(OutputError, match="accepted before") as raised:
        await replace(agent, hooks=[AtMost(1)]).resume(run_id)
    assert (raised.value.run_id, raised.value.answer) == (run_id, "2")
    assert (await agent.resume(run_id)).output == 2

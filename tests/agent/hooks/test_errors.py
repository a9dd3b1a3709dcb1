"""An exception in a hook ends the run."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ossia.agent import MemoryJournal, RunFacts
from ossia.errors import GuardrailTripped
from tests.agent.hooks.sample_hooks import TURNS, Raiser, make_agent

METHODS = {
    "on_event": 1,
    "on_delta": 1,
    "before_turn": 0,
    "before_tool_call": 1,
    "after_tool_call": 1,
    "before_output": 2,
}
"""The methods, and how many turns were sampled when each is first called."""


@pytest.mark.parametrize("kind", [GuardrailTripped, ZeroDivisionError])
@pytest.mark.parametrize("method", METHODS)
async def test_an_exception_in_a_hook_ends_the_run_with_its_facts(
    method: str, kind: type[Exception]
) -> None:
    error, journal = kind("stop"), MemoryJournal()
    with pytest.raises(kind) as raised:
        await make_agent(Raiser(method, error), journal=journal).run("2 + 3?", run_id="r1")
    assert raised.value is error
    facts = RunFacts.of(error)
    assert facts is not None
    assert (facts.run_id, facts.usage.steps) == ("r1", METHODS[method])
    assert "2 + 3?" in [message.text for message in facts.messages]
    (run,) = await journal.runs()
    assert (run.status, run.failure) == ("failed", f"{kind.__name__}: stop")


@pytest.mark.parametrize("method", METHODS)
async def test_a_run_that_a_hook_stopped_can_be_resumed(method: str) -> None:
    agent = make_agent(
        Raiser(method, GuardrailTripped("stop")),
        turns=[*TURNS[:1], *TURNS] if method == "on_delta" else TURNS,
        journal=MemoryJournal(),
    )
    with pytest.raises(GuardrailTripped):
        await agent.run("2 + 3?", run_id="r1")
    assert (await replace(agent, hooks=()).resume("r1")).output == "5"

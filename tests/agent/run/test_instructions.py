"""Instructions that a function returns when a run starts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ossia.agent import Agent, MemoryJournal
from ossia.agent.testing import ScriptedEngine, Tape, answer_turn
from ossia.errors import RunFacts
from ossia.harmony import decode
from ossia.tools import RunContext


def for_user(context: RunContext[str]) -> str:
    return f"The user is {context.deps}; the run is {context.run_id}."


async def for_user_async(context: RunContext[str]) -> str:
    return for_user(context)


class ForUser:
    async def __call__(self, context: RunContext[str]) -> str:
        return for_user(context)


@pytest.mark.parametrize("instructions", [for_user, for_user_async, ForUser()])
async def test_instructions_are_made_from_the_context(instructions: Callable[..., Any]) -> None:
    engine = ScriptedEngine([answer_turn("5"), answer_turn("6")])
    agent = Agent(engine, instructions=instructions)
    await agent.run("2 + 3?", deps="Ada", run_id="one")
    await agent.run("2 + 4?", deps="Eve", run_id="two")
    assert "The user is Ada; the run is one." in decode(engine.prompts[0])
    assert "The user is Eve; the run is two." in decode(engine.prompts[1])


async def test_a_resumed_run_keeps_its_instructions_and_a_fork_gets_new_ones() -> None:
    journal = MemoryJournal()
    counts = iter(range(9))
    engine = ScriptedEngine([RuntimeError("broken"), answer_turn("5"), answer_turn("6")])
    agent = Agent(engine, instructions=lambda _: f"Call {next(counts)}.", journal=journal)
    with pytest.raises(RuntimeError, match="broken"):
        await agent.run("2 + 3?", run_id="mine")
    assert (await agent.resume("mine")).output == "5"
    assert engine.prompts[0] == engine.prompts[1]
    assert (await agent.fork("mine", step=0)).output == "6"
    assert "Call 1." in decode(engine.prompts[2])
    tape = Tape(await journal.read("mine"))
    assert (await tape.replay(agent)).output == "5"


def not_text(_: RunContext[Any]) -> int:
    return 5


def broken(_: RunContext[Any]) -> str:
    raise KeyError("missing")


@pytest.mark.parametrize(
    ("instructions", "error", "message"),
    [(not_text, TypeError, "returned 5; return text"), (broken, KeyError, "missing")],
)
async def test_what_a_function_does_wrong_ends_the_run(
    instructions: Any, error: type[Exception], message: str
) -> None:
    agent = Agent(ScriptedEngine([]), instructions=instructions)
    with pytest.raises(error, match=message) as caught:
        await agent.run("2 + 3?", run_id="mine")
    facts = RunFacts.of(caught.value)
    assert facts is not None
    assert facts.run_id == "mine"


def test_a_function_without_a_context_is_found_at_construction() -> None:
    instructions: Any = lambda: "Be brief."  # noqa: E731
    with pytest.raises(TypeError, match=r"instructions cannot be called: too many positional"):
        Agent(ScriptedEngine([]), instructions=instructions)

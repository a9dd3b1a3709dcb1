"""The arguments of a run: its id, its metadata, and run_sync."""

from __future__ import annotations

import anyio
import pytest

from ossia.agent import Agent, MemoryJournal
from ossia.agent.testing import ScriptedEngine, answer_turn, call_turn
from ossia.errors import EngineError, JournalError
from ossia.tools import RunContext
from tests.agent.failures.failing import CALL, add


async def test_run_sync_inside_an_event_loop_says_what_to_write_instead() -> None:
    agent = Agent(ScriptedEngine([answer_turn("5")]))
    with pytest.raises(RuntimeError, match=r"`await agent\.run\(\.\.\.\)` instead"):
        agent.run_sync("2 + 3?")
    assert (await agent.run("2 + 3?")).output == "5"


def test_run_sync_has_the_arguments_of_run() -> None:
    journal = MemoryJournal()

    def name(context: RunContext[str]) -> str:
        """Name."""
        return context.deps

    engine = ScriptedEngine([call_turn("name"), answer_turn("5")])
    agent = Agent(engine, tools=[name], journal=journal)
    result = agent.run_sync("2 + 3?", deps="Ada", run_id="mine", metadata={"user": 7})
    assert result.run_id == "mine"
    assert "Ada" in [message.text for message in result.messages]
    (run,) = anyio.run(journal.runs)
    assert run.metadata == {"user": 7}


async def test_a_run_has_the_id_and_the_metadata_of_the_caller() -> None:
    journal = MemoryJournal()
    agent = Agent(ScriptedEngine([answer_turn("5")]), journal=journal)
    result = await agent.run("2 + 3?", run_id="mine", metadata={"user": 7, "tags": ["a"]})
    assert result.run_id == "mine"
    (run,) = await journal.runs()
    assert (run.run_id, run.metadata) == ("mine", {"user": 7, "tags": ["a"]})


async def test_a_run_without_a_journal_may_have_an_id_and_metadata() -> None:
    agent = Agent(ScriptedEngine([answer_turn("5"), answer_turn("6")]))
    first = await agent.run("2 + 3?", run_id="mine", metadata={"user": 7})
    second = await agent.run("2 + 4?", run_id="mine")
    assert [(first.run_id, first.output), (second.run_id, second.output)] == [
        ("mine", "5"),
        ("mine", "6"),
    ]


async def test_runs_without_an_id_get_different_ones() -> None:
    agent = Agent(ScriptedEngine([answer_turn("5"), answer_turn("6")]))
    assert (await agent.run("2 + 3?")).run_id != (await agent.run("2 + 4?")).run_id


async def test_a_second_run_of_the_same_id_continues_the_first() -> None:
    engine = ScriptedEngine([CALL, EngineError("on fire"), answer_turn("5")])
    agent = Agent(engine, tools=[add], journal=MemoryJournal())
    with pytest.raises(EngineError):
        await agent.run("2 + 3?", run_id="mine", metadata={"user": 7})
    result = await agent.run("2 + 3?", run_id="mine")
    assert (result.run_id, result.output, result.usage.tool_calls) == ("mine", "5", 1)


async def test_a_second_run_of_the_same_id_returns_the_output_of_a_finished_one() -> None:
    agent = Agent(ScriptedEngine([answer_turn("5")]), journal=MemoryJournal())
    first = await agent.run("2 + 3?", run_id="mine")
    assert (await agent.run("2 + 3?", run_id="mine")).output == first.output


async def test_a_run_id_belongs_to_one_task() -> None:
    agent = Agent(ScriptedEngine([answer_turn("5")]), journal=MemoryJournal())
    await agent.run("2 + 3?", run_id="mine")
    with pytest.raises(JournalError, match="another task") as raised:
        await agent.run("2 + 4?", run_id="mine")
    assert raised.value.run_id == "mine"

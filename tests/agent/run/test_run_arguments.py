"""The arguments of a run: its id, its metadata, and run_sync."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from ossia.agent import Agent, MemoryJournal, Task
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


async def test_a_batch_with_run_ids_continues_where_it_was_killed() -> None:
    journal = MemoryJournal()

    def run_id(index: int, task: Task) -> str:
        return f"nightly-{index}-{task}"

    first = Agent(ScriptedEngine([answer_turn("1"), answer_turn("2")]), journal=journal)
    async with first.run_many(["a", "b"], run_id=run_id, concurrency=1) as outcomes:
        assert [outcome.output async for outcome in outcomes] == ["1", "2"]
    second = Agent(ScriptedEngine([answer_turn("3")]), journal=journal)
    async with second.run_many(["a", "b", "c"], run_id=run_id, ordered=True) as outcomes:
        assert [outcome.output async for outcome in outcomes] == ["1", "2", "3"]
    ids = {run.run_id for run in await journal.runs()}
    assert ids == {"nightly-0-a", "nightly-1-b", "nightly-2-c"}


def row(index: int, task: Task) -> dict[str, Any]:
    return {"row": index, "task": task}


@pytest.mark.parametrize(
    ("metadata", "stored"),
    [
        ({"batch": 7}, [{"batch": 7}, {"batch": 7}]),
        (row, [{"row": 0, "task": "a"}, {"row": 1, "task": "b"}]),
    ],
)
async def test_the_runs_of_a_batch_have_metadata(metadata: Any, stored: list[Any]) -> None:
    journal = MemoryJournal()
    agent = Agent(ScriptedEngine([answer_turn("1"), answer_turn("2")]), journal=journal)
    async with agent.run_many(["a", "b"], metadata=metadata, concurrency=1) as outcomes:
        ids = [outcome.result.run_id async for outcome in outcomes if outcome.result]
    found = {run.run_id: run.metadata for run in await journal.runs()}
    assert [found[run_id] for run_id in ids] == stored


async def test_a_wrong_run_id_is_the_outcome_of_its_task() -> None:
    agent = Agent(ScriptedEngine([answer_turn("2")]))
    async with agent.run_many(
        ["a", "b"], run_id=lambda index, _: "ok" if index else "", ordered=True
    ) as outcomes:
        errors = [type(outcome.error) async for outcome in outcomes]
    assert errors == [ValueError, type(None)]


async def test_a_chat_has_the_id_and_the_metadata_of_the_caller() -> None:
    journal = MemoryJournal()
    agent = Agent(ScriptedEngine([answer_turn("5"), answer_turn("6")]), journal=journal)
    async with agent.chat(run_id="mine", metadata={"user": 7}) as chat:
        await chat.say("2 + 3?")
    async with agent.chat(run_id="mine") as chat:
        assert (await chat.say("And one more?")).output == "6"
        asked = [message.text for message in chat.messages if message.role == "user"]
    assert asked == ["2 + 3?", "And one more?"]
    (run,) = await journal.runs()
    assert (run.run_id, run.metadata) == ("mine", {"user": 7})


async def test_a_resumed_chat_keeps_its_id() -> None:
    agent = Agent(ScriptedEngine([]), journal=MemoryJournal())
    with pytest.raises(TypeError, match="has its run_id and metadata already"):
        async with agent.chat(resume="mine", run_id="other"):
            raise AssertionError("not reached")

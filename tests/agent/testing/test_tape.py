"""Recorded runs: replayed without an engine and tools, and compared with the recording."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from ossia.agent import Agent, Limits, MemoryJournal, Sampled, TrimContext, TurnRequest, VLLMEngine
from ossia.agent.testing import ScriptedEngine, Tape, answer_turn, call_turn, forbid_real_engines
from ossia.errors import EngineError, JournalError
from ossia.tools import tool

FINAL = answer_turn({"total": 5})
READ_TOOL_RESULT = call_turn("read_tool_result", output=1)
THOUGHT = "<|channel|>analysis<|message|>Hm.<|end|>"


def ask(n: int) -> list[int]:
    return call_turn("read", n=n, reasoning="Hm.")


class Sum(BaseModel):
    total: int


@tool
def read(n: int) -> str:
    """Read."""
    return f"{n} " + " word" * 300


@tool(name="read")
def broken(n: int) -> str:
    """Read."""
    raise AssertionError("a replay touches no tool")


class NoEngine:
    async def generate(self, request: TurnRequest) -> AsyncGenerator[Sampled]:
        raise AssertionError("a replay does not use the engine")
        yield Sampled()


async def recorded(turns: list[Any], **options: Any) -> tuple[Agent[Sum], Tape]:
    """Run an agent; return it with an engine and a tool that always fail, and the run's tape."""
    journal = MemoryJournal()
    window = options.pop("window", None)
    engine = ScriptedEngine(turns, window=window, chunk=1000)
    agent = Agent(engine, tools=[read], output_type=Sum, journal=journal, **options)
    result = await agent.run("Go.")
    tape = await Tape.of(journal, result.run_id)
    assert tape.messages == result.messages
    asked = [[prompt[: len(taped)] for prompt in engine.prompts] for taped in tape.prompts]
    assert all(taped in prompts for taped, prompts in zip(tape.prompts, asked, strict=True))
    return replace(agent, engine=NoEngine(), tools=[broken]), tape


RUNS: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "plain": ([ask(1), ask(2), FINAL], {}),
    "resampled": ([THOUGHT, "", ask(1), "<|channel|>analysis<|message|>Cut", FINAL], {}),
    "rejected": ([answer_turn({"total": "x"}), FINAL], {}),
    "circles": ([*[ask(1)] * 4, FINAL], {}),
    "trimmed": (
        [*map(ask, range(8)), READ_TOOL_RESULT, FINAL],
        {"window": 2000, "context": TrimContext(summarize=False, keep_recent=1)},
    ),
    "summed up": (
        [*map(ask, range(4)), "All read.<|return|>", FINAL],
        {"window": 2000, "context": TrimContext(keep_recent=2, target=0.1)},
    ),
    "at its limit": (
        [ask(1), ask(2), '{"total": 5}<|return|>'],
        {"limits": Limits(tool_calls=1, then="answer")},
    ),
}


@pytest.mark.parametrize("name", RUNS)
async def test_a_replay_has_the_same_tokens_and_messages(name: str, tmp_path: Path) -> None:
    turns, options = RUNS[name]
    agent, tape = await recorded(turns, **options)
    tape.save(tmp_path / "tapes" / "run.jsonl")
    again = Tape.load(tmp_path / "tapes" / "run.jsonl")
    assert again.records == tape.records
    result = await again.replay(agent)
    assert result.output == Sum(total=5)
    assert result.messages == tape.messages


async def test_a_chat_can_be_replayed() -> None:
    journal = MemoryJournal()
    agent = Agent(ScriptedEngine([FINAL, ask(1), FINAL]), tools=[read], journal=journal)
    async with agent.chat() as chat:
        await chat.say("One?")
        await chat.say("Two?")
    tape = await Tape.of(journal, chat.run_id)
    result = await tape.replay(replace(agent, engine=NoEngine(), tools=[broken]))
    assert result.messages == tape.messages


async def test_the_error_for_a_changed_agent_shows_where_the_prompts_differ() -> None:
    agent, tape = await recorded([ask(1), FINAL])
    with pytest.raises(
        AssertionError, match="the prompt of turn 1 is not the recorded one"
    ) as raised:
        await tape.replay(replace(agent, instructions="Be brief."))
    assert "Be brief." in str(raised.value)


async def test_a_run_without_an_answer_is_not_a_tape() -> None:
    journal = MemoryJournal()
    with pytest.raises(EngineError):
        await Agent(ScriptedEngine([EngineError("gone")]), journal=journal).run("Go.")
    (run,) = await journal.runs()
    with pytest.raises(JournalError, match="this run has not finished"):
        await Tape.of(journal, run.run_id)


async def test_real_engines_can_be_forbidden() -> None:
    agent = Agent(VLLMEngine("http://127.0.0.1:9"))
    with forbid_real_engines():
        with pytest.raises(EngineError, match="forbidden here"):
            await agent.run("Go.")
        scripted = replace(agent, engine=ScriptedEngine([answer_turn("Hi")]))
        assert (await scripted.run("Go.")).output == "Hi"
    with pytest.raises(EngineError, match="no engine at"):
        await agent.run("Go.")

"""What the model writes after a tool call in the same turn never becomes part of the run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ossia.agent import Agent, RunFinished, SQLiteJournal, ToolCallFinished, ToolCallsDropped
from ossia.agent.testing import (
    ScriptedEngine,
    answer_turn,
    call_turn,
    harmony_tokens,
    python_turn,
)
from ossia.harmony import decode
from tests.agent.failures.failing import CALL, add

ANSWER = answer_turn("It is 5.")


async def test_text_after_a_tool_call_is_dropped() -> None:
    imagined = harmony_tokens(
        "<|end|><|start|>functions.add to=assistant<|channel|>commentary<|message|>99<|end|>"
        "<|start|>assistant"
    )
    turn = [*CALL[:-1], *imagined, *answer_turn("It is 99.")]
    engine = ScriptedEngine([turn, ANSWER], chunk=1000)
    result = await Agent(engine, tools=[add]).run("2 + 3?")
    assert result.output == "It is 5."
    assert "99" not in decode(engine.prompts[1])


@pytest.mark.parametrize("end", ["<|end|>", "<|call|>"])
async def test_further_calls_of_a_turn_are_dropped_and_reported(end: str, tmp_path: Path) -> None:
    start = harmony_tokens(f"{end}<|start|>assistant")
    turn = [*CALL[:-1], *start, *CALL[:-1], *start, *python_turn("print(5)")]
    agent = Agent(
        ScriptedEngine([turn, ANSWER], chunk=1000),
        tools=[add],
        journal=SQLiteJournal(tmp_path / "runs.db"),
    )
    async with agent.stream("2 + 3?") as run:
        events = [event async for event in run]
    reports = [event for event in events if isinstance(event, ToolCallsDropped)]
    assert [(event.step, event.recipients) for event in reports] == [
        (1, ("functions.add", "python"))
    ]
    assert len([event for event in events if isinstance(event, ToolCallFinished)]) == 1
    finished = events[-1]
    assert isinstance(finished, RunFinished)
    warning = (
        "step 1: only the first tool call of the turn ran; the model also wrote calls to "
        "functions.add, python"
    )
    assert finished.result.warnings == (warning,)
    assert (await agent.resume(finished.result.run_id)).warnings == (warning,)


@pytest.mark.parametrize("chunk", [1, 2, 3, 7])
async def test_an_engine_that_samples_on_after_a_call_is_stopped(chunk: int) -> None:
    turn = [*CALL, *harmony_tokens("<|start|>assistant"), *call_turn("add", a=9, b=9)]
    engine = ScriptedEngine([turn, ANSWER], chunk=chunk)
    result = await Agent(engine, tools=[add]).run("2 + 3?")
    calls = [message.text for message in result.messages if message.recipient == "functions.add"]
    assert [json.loads(text) for text in calls] == [{"a": 2, "b": 3}]
    assert result.usage.sampled_tokens == len(CALL) + len(ANSWER)

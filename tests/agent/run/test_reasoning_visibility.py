"""What shows reasoning, and what logs, errors and usage tell about a run."""

from __future__ import annotations

from typing import Any

import pytest
import structlog
from pydantic import BaseModel
from structlog.testing import capture_logs

from ossia.agent import Agent, Limits, MemoryJournal, ReasoningDelta, RunFinished
from ossia.agent.testing import ScriptedEngine, ScriptedTurn, answer_turn, call_turn
from ossia.errors import EngineError, OssiaError

CANARY = "xyzzy-canary"
THOUGHT = f"<|channel|>analysis<|message|>I think {CANARY}.<|end|>"
CALL = call_turn("add", a=2, b=3, reasoning=f"I think {CANARY}.")


class Sum(BaseModel):
    total: int


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def logged(caplog: pytest.LogCaptureFixture) -> str:
    """Return the text and the fields of all log records."""
    return "".join(f"{record.getMessage()} {vars(record)}" for record in caplog.records)


def final(text: str) -> list[int]:
    return answer_turn(text, reasoning=f"I think {CANARY}.")


async def test_no_log_answer_or_other_event_contains_reasoning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    turns: list[ScriptedTurn] = [CALL, THOUGHT, final("{}"), final('{"total": 5}')]
    agent = Agent(ScriptedEngine(turns), tools=[add], output_type=Sum, journal=MemoryJournal())
    with caplog.at_level("DEBUG", "ossia"):
        async with agent.stream("2 + 3?") as run:
            events = [event async for event in run]
    assert caplog.records
    assert CANARY not in logged(caplog)
    thoughts = [event for event in events if isinstance(event, ReasoningDelta)]
    assert CANARY in "".join(event.text for event in thoughts)
    others = [event for event in events if not isinstance(event, ReasoningDelta | RunFinished)]
    assert CANARY not in "".join(event.model_dump_json() for event in others)
    finished = events[-1]
    assert isinstance(finished, RunFinished)
    assert CANARY not in repr(finished.result)
    assert CANARY not in repr(finished.result.output)
    # The messages contain it, for debugging.
    assert CANARY in str([message.text for message in finished.result.messages])


@pytest.mark.parametrize(
    ("turns", "options"),
    [
        ([THOUGHT] * 3, {}),
        ([final("{}")] * 3, {"output_type": Sum}),
        ([CALL] * 2, {"limits": Limits(steps=1)}),
        ([CALL, EngineError("on fire")], {}),
    ],
)
async def test_no_error_text_contains_reasoning(
    turns: list[Any], options: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    journal = MemoryJournal()
    agent = Agent(ScriptedEngine(turns), tools=[add], journal=journal, **options)
    with caplog.at_level("DEBUG", "ossia"), pytest.raises(OssiaError) as raised:
        await agent.run("2 + 3?")
    shown = [str(raised.value), repr(raised.value), *getattr(raised.value, "__notes__", [])]
    assert CANARY not in "".join([logged(caplog), *shown])
    (run,) = await journal.runs()
    assert CANARY not in repr(run)


async def test_log_lines_name_their_run_and_step(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def look() -> str:
        """Look."""
        structlog.get_logger().info("looked")
        return "seen"

    agent = Agent(ScriptedEngine([call_turn("look"), final("Done.")]), tools=[look])
    context: Any = structlog.contextvars.merge_contextvars
    with capture_logs(processors=[context]) as own, caplog.at_level("INFO", "ossia"):
        result = await agent.run("Look.")
    logs = [*own, *(vars(record) for record in caplog.records)]
    of_the_call = [entry for entry in logs if entry["event"] in ("looked", "tool_call_finished")]
    assert len(of_the_call) == 2
    assert {(entry["run_id"], entry["step"]) for entry in of_the_call} == {(result.run_id, 1)}
    finished = [entry for entry in logs if entry["event"] == "run_finished"]
    assert [(entry["run_id"], entry["steps"]) for entry in finished] == [(result.run_id, 2)]


async def test_usage_adds_up_over_the_run() -> None:
    engine = ScriptedEngine([CALL, THOUGHT, final("5")])
    result = await Agent(engine, tools=[add]).run("2 + 3?")
    usage = result.usage
    assert (usage.steps, usage.tool_calls, usage.resamples, usage.repairs) == (3, 1, 1, 0)
    assert usage.prompt_tokens == sum(map(len, engine.prompts))
    assert 0 < usage.reasoning_tokens < usage.sampled_tokens
    assert usage.cached_tokens == 0
    assert 0 < usage.engine_s <= result.seconds
    assert 0 < usage.tool_s <= result.seconds

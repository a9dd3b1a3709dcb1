"""Every limit ends a run with an error that names it, or with the best answer so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import anyio
import pytest
from pydantic import BaseModel

from ossia.agent import Agent, Event, LimitReached, Limits, MemoryJournal, RunFinished
from ossia.agent.testing import ScriptedEngine, ScriptedTurn, answer_turn, call_turn
from ossia.errors import LimitExceeded, OutputError
from ossia.harmony import decode
from ossia.harmony.constrain.turn_grammar import answer_grammar

BEST = "Perhaps 5.<|return|>"
"""What the model writes after the header that is written for it."""


def look() -> str:
    """Look."""
    return "nothing"


def peek(n: int) -> int:
    """Peek."""
    return n


async def hang() -> str:
    """Hang."""
    await anyio.sleep_forever()
    return "never"


CASES: dict[str, tuple[Limits, Sequence[ScriptedTurn]]] = {
    "steps": (Limits(steps=2), [call_turn("look"), call_turn("peek", n=1)]),
    "tool_calls": (Limits(tool_calls=1), [call_turn("look"), call_turn("look")]),
    "calls_of": (
        Limits(calls_of={"functions.look": 1}),
        [call_turn("look"), call_turn("peek", n=1), call_turn("look")],
    ),
    "tokens": (Limits(tokens=len(call_turn("look"))), [call_turn("look")]),
    "seconds": (Limits(seconds=0.05), [call_turn("hang")]),
    "repeats": (Limits(repeats=2), [call_turn("look")] * 5),
}


def agent(
    limit: str, turns: Sequence[ScriptedTurn], **options: Any
) -> tuple[Agent[Any], ScriptedEngine]:
    engine = ScriptedEngine(turns, chunk=1000)
    limits = options.pop("limits", CASES[limit][0])
    return Agent(engine, tools=[look, peek, hang], limits=limits, **options), engine


@pytest.mark.parametrize("limit", CASES)
async def test_a_limit_is_an_error_that_names_it(limit: str) -> None:
    described, _ = agent(limit, CASES[limit][1])
    with anyio.fail_after(20), pytest.raises(LimitExceeded) as raised:
        await described.run("Go.")
    assert raised.value.limit == limit
    assert "raise Limits" in str(raised.value)
    assert raised.value.messages[2].text == "Go."
    assert raised.value.usage.steps == len(CASES[limit][1])
    assert raised.value.run_id


@pytest.mark.parametrize("limit", CASES)
async def test_a_run_at_its_limit_can_end_with_an_answer(limit: str) -> None:
    limits, turns = CASES[limit]
    described, engine = agent(limit, [*turns, BEST], limits=replace(limits, then="answer"))
    with anyio.fail_after(20):
        async with described.stream("Go.") as run:
            events: list[Event] = [event async for event in run]
    finished = events[-1]
    assert isinstance(finished, RunFinished)
    assert (finished.result.output, finished.result.limit) == ("Perhaps 5.", limit)
    assert [event.limit for event in events if isinstance(event, LimitReached)] == [limit]
    last = decode(engine.prompts[-1])
    assert "You have reached the limit of this task" in last
    assert last.endswith("<|start|>assistant<|channel|>final<|message|>")
    # Every call has a result, if only the text that there is none.
    assert last.count("to=functions.") == last.count(" to=assistant")


async def test_an_answer_at_the_limit_has_the_output_type() -> None:
    class Sum(BaseModel):
        total: int

    limits = Limits(steps=1, then="answer", answer_tokens=77)
    described, engine = agent(
        "steps",
        [call_turn("look"), '{"total": "x"}<|return|>', '{"total": 5}<|return|>'],
        limits=limits,
        output_type=Sum,
    )
    assert (await described.run("Go.")).output == Sum(total=5)
    wanted = answer_grammar(Sum.model_json_schema())
    assert [request.grammar for request in engine.requests[1:]] == [wanted, wanted]
    assert [request.sampling.max_tokens for request in engine.requests[1:]] == [77, 77]
    described, _ = agent(
        "steps", [call_turn("look"), *["{}<|return|>"] * 3], limits=limits, output_type=Sum
    )
    with pytest.raises(OutputError) as raised:
        await described.run("Go.")
    assert len(raised.value.faults) == 3


async def test_a_model_that_repeats_its_calls_gets_a_notice_first() -> None:
    described, engine = agent("repeats", CASES["repeats"][1])
    with pytest.raises(LimitExceeded):
        await described.run("Go.")
    noticed = ["repeated earlier calls" in decode(prompt) for prompt in engine.prompts]
    # The first call is new. After two repeated calls, the model reads the notice.
    assert noticed == [False, False, False, True, True]


async def test_alternating_calls_are_repeats_until_a_result_changes() -> None:
    pair = [call_turn("look"), call_turn("peek", n=1)]
    described, _ = agent("repeats", pair * 4)
    with pytest.raises(LimitExceeded) as raised:
        await described.run("Go.")
    assert (raised.value.limit, raised.value.usage.steps) == ("repeats", 6)
    news = [call_turn("peek", n=n) for n in range(2, 4)]
    turns = [
        *pair,
        *pair,
        news[0],
        call_turn("look"),
        news[1],
        call_turn("look"),
        answer_turn("Done."),
    ]
    described, _ = agent("repeats", turns)
    assert (await described.run("Go.")).output == "Done."


async def test_limits_count_across_a_resume() -> None:
    journal = MemoryJournal()
    described, _ = agent("steps", CASES["steps"][1], journal=journal)
    with pytest.raises(LimitExceeded) as raised:
        await described.run("Go.")
    described, engine = agent(
        "steps", [BEST], journal=journal, limits=Limits(steps=2, then="answer")
    )
    result = await described.resume(raised.value.run_id)
    assert (result.output, result.limit) == ("Perhaps 5.", "steps")
    assert len(engine.prompts) == 1

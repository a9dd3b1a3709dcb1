"""A budget of reasoning without a grammar: by what is written for the model."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import pytest

from ossia.agent import Agent, Sampled, Sampling, TurnRequest, VLLMEngine
from ossia.agent.engines.reasoning_budget import enforce_reasoning_budget
from ossia.agent.testing import Reply, ScriptedEngine, harmony_tokens, open_fake_vllm
from ossia.harmony import decode, parse

PROMPT = [1, 2, 3]
ANSWER = "final<|message|>Five.<|return|>"
WORDS = "one two three four five six seven eight nine ten"
"""Ten tokens."""
LONG = f"<|channel|>analysis<|message|>{WORDS}<|end|><|start|>assistant<|channel|>{ANSWER}"
OPENING = "<|end|><|start|>assistant<|channel|>"


async def sampled(
    turns: Sequence[str], budget: int, *, chunk: int = 1, max_tokens: int | None = None
) -> tuple[str, list[Sampled], ScriptedEngine]:
    engine = ScriptedEngine(turns, chunk=chunk)
    sampling = Sampling(max_tokens=max_tokens)
    request = TurnRequest(prompt=PROMPT, sampling=sampling, reasoning_budget=budget)
    async with aclosing(enforce_reasoning_budget(engine, request)) as pieces:
        received = [piece async for piece in pieces]
    return decode([token for piece in received for token in piece.tokens]), received, engine


@pytest.mark.parametrize("chunk", [1, 3, 100])
@pytest.mark.parametrize("budget", [0, 1, 4, 9])
async def test_reasoning_ends_when_its_budget_is_used_up(budget: int, chunk: int) -> None:
    text, pieces, engine = await sampled([LONG, ANSWER], budget, chunk=chunk)
    words = decode(harmony_tokens(WORDS)[:budget])
    assert text == f"<|channel|>analysis<|message|>{words}{OPENING}{ANSWER}"
    prefix = harmony_tokens(f"<|channel|>analysis<|message|>{words}{OPENING}")
    assert engine.prompts == [PROMPT, PROMPT + prefix]
    assert pieces[-1].finish == "stop"
    assert all(piece.finish is None for piece in pieces[:-1])


@pytest.mark.parametrize("chunk", [1, 3, 100])
async def test_reasoning_within_its_budget_is_not_changed(chunk: int) -> None:
    text, _, engine = await sampled([LONG], 10, chunk=chunk)
    assert text == LONG
    assert len(engine.prompts) == 1


async def test_all_reasoning_of_a_turn_shares_the_budget() -> None:
    thought = "<|channel|>analysis<|message|>one two three<|end|><|start|>assistant"
    text, _, _ = await sampled([thought * 2 + LONG, ANSWER], 7)
    shared = f"{thought * 2}<|channel|>analysis<|message|>one"
    assert text == f"{shared}{OPENING}{ANSWER}"


async def test_a_model_that_reasons_again_must_answer() -> None:
    text, _, engine = await sampled([LONG, "analysis<|message|>But<|end|>", "Five.<|return|>"], 2)
    assert len(engine.prompts) == 3
    assert [message.text for message in parse(harmony_tokens(text))] == ["one two", "", "Five."]


async def test_a_call_in_the_analysis_channel_is_not_reasoning() -> None:
    call = f"<|channel|>analysis to=python code<|message|>{WORDS}<|call|>"
    assert (await sampled([call], 2))[0] == call


async def test_tokens_written_for_the_model_count_as_sampled() -> None:
    text, pieces, engine = await sampled([LONG, ANSWER], 2, max_tokens=12)
    assert [request.sampling.max_tokens for request in engine.requests] == [12, 3]
    assert pieces[-1].finish == "length"
    assert len(harmony_tokens(text)) == 12
    text, pieces, _ = await sampled([LONG], 2, max_tokens=6)
    assert len(harmony_tokens(text)) == 6
    assert pieces[-1].finish == "length"


class Watched(ScriptedEngine):
    """Tells when its generator was closed."""

    closed = 0

    async def generate(self, request: TurnRequest) -> AsyncGenerator[Sampled]:
        try:
            async for piece in super().generate(request):
                yield piece
        finally:
            self.closed += 1


async def test_the_engine_stops_before_the_next_request() -> None:
    engine = Watched([LONG, ANSWER])
    request = TurnRequest(prompt=PROMPT, reasoning_budget=2)
    async with aclosing(enforce_reasoning_budget(engine, request)) as pieces:
        async for _ in pieces:
            assert engine.closed == len(engine.prompts) - 1 or engine.closed == len(engine.prompts)
    assert engine.closed == 2


async def test_the_budget_is_enforced_on_a_server_without_grammars() -> None:
    replies = [Reply(turn=LONG), Reply(turn=ANSWER)]
    async with open_fake_vllm(replies, grammars="ignored") as server:
        result = await Agent(VLLMEngine(server.url), reasoning_budget=3).run("2 + 3?")
    assert result.output == "Five."
    assert [m.text for m in result.messages if m.channel == "analysis"] == ["one two three"]
    assert result.usage.repairs == 0


async def test_a_grammar_enforces_the_budget_on_a_server_with_grammars() -> None:
    async with open_fake_vllm([Reply(turn=LONG)]) as server:
        await Agent(VLLMEngine(server.url), reasoning_budget=3).run("2 + 3?")
    assert len(server.requests) == 1, "what obeys a grammar needs no reins"

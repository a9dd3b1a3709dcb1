"""A run of twelve steps on a real server: the prefix cache serves nearly all that it can."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Literal

import anyio
import anyio.lowlevel
import httpx
import pytest
from pydantic import TypeAdapter

from ossia.agent import Agent, Sampled, Sampling, Server, TurnRequest, VLLMEngine
from ossia.harmony import Transcript
from ossia.harmony.constrain import turn_grammar
from ossia.tools import Toolbox

# The first test of a session also waits for the server to start.
pytestmark = [pytest.mark.vllm, pytest.mark.timeout(600)]

STEPS = 12
BLOCK = 128
"""Tokens per block of vLLM's prefix cache on a CPU."""
Verdict = Literal["yes", "no"]


def note(text: str, sure: bool) -> str:
    """Write something down."""
    return f"Noted ({sure}): {text}. " + "Go on. " * 20


class GuidedEngine:
    """An engine for a random model. Grammars force a tool call in each step, then an answer."""

    def __init__(self, engine: VLLMEngine) -> None:
        self._engine = engine
        self._functions = Toolbox([note]).functions
        self.turns: list[tuple[list[int], list[int]]] = []
        """The prompt and the sampled tokens of each turn."""
        self.cached: list[int] = []

    async def generate(self, request: TurnRequest) -> AsyncGenerator[Sampled]:
        is_last = len(self.turns) == STEPS - 1
        grammar = turn_grammar(
            functions=self._functions,
            output_schema=TypeAdapter(Verdict).json_schema(),
            reasoning_budget=8,
            tool_choice="none" if is_last else "required",
        )
        sampled: list[int] = []
        self.turns.append((list(request.prompt), sampled))
        request = replace(request, sampling=Sampling(max_tokens=400), grammar=grammar)
        async with aclosing(self._engine.generate(request)) as pieces:
            async for piece in pieces:
                sampled.extend(piece.tokens)
                if piece.cached_tokens is not None:
                    self.cached.append(piece.cached_tokens)
                yield piece


async def test_a_run_of_twelve_steps_is_served_from_the_cache(random_server: Server) -> None:
    async with httpx.AsyncClient(base_url=random_server.url, trust_env=False) as client:
        engine = VLLMEngine(random_server.url)
        # The grammar probe also sends a prompt, which is not part of the run.
        at_start = await cache_counters(client)
        assert await engine.obeys_grammars()
        before = await wait_for_queries(client, at_start["queries"] + len(Transcript().prompt()))
        guided = GuidedEngine(engine)
        output_type: Any = Verdict
        result = await Agent[str](guided, tools=[note], output_type=output_type).run("Do it.")
        prompts = [prompt for prompt, _ in guided.turns]
        after = await wait_for_queries(client, before["queries"] + sum(map(len, prompts)))
    assert (result.usage.steps, result.usage.tool_calls) == (STEPS, STEPS - 1)
    assert result.output in {"yes", "no"}
    assert after["queries"] - before["queries"] == sum(map(len, prompts))
    assert after["hits"] - before["hits"] == sum(guided.cached)
    # The last sampled token of a step was never an input, and only full blocks are cached.
    cacheable = [
        (len(prompt) + len(sampled) - 1) // BLOCK * BLOCK for prompt, sampled in guided.turns[:-1]
    ]
    assert sum(guided.cached[1:]) >= 0.95 * sum(cacheable)
    assert sum(cacheable) > 10 * BLOCK


async def wait_for_queries(client: httpx.AsyncClient, queries: int) -> dict[str, int]:
    """Return the counters once they include `queries` tokens; the server updates them late."""
    with anyio.fail_after(30):
        while (counters := await cache_counters(client))["queries"] < queries:
            await anyio.lowlevel.checkpoint()
    return counters


async def cache_counters(client: httpx.AsyncClient) -> dict[str, int]:
    """Return the tokens that the server looked up in its prefix cache, and its hits."""
    text = (await client.get("/metrics")).text
    pattern = r"^vllm:prefix_cache_(queries|hits)_total\{.*\} (\S+)$"
    return {name: int(float(value)) for name, value in re.findall(pattern, text, re.MULTILINE)}

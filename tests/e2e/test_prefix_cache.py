"""Twelve steps on a real server: what its prefix cache could serve, it did."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any, Literal

import anyio
import anyio.lowlevel
import httpx
import pytest
from pydantic import TypeAdapter

from ossia.agent import Agent, Sampled, Sampling, Server, VLLMEngine
from ossia.harmony import Transcript
from ossia.harmony.constrain import turn_grammar
from ossia.tools import Toolbox

# The first test of a session also starts the server.
pytestmark = [pytest.mark.vllm, pytest.mark.timeout(600)]

STEPS = 12
BLOCK = 128
"""Tokens in a block of vLLM's prefix cache on a CPU."""
Verdict = Literal["yes", "no"]


def note(text: str, sure: bool) -> str:
    """Write something down."""
    return f"Noted ({sure}): {text}. " + "Go on. " * 20


class Steered:
    """An engine of a model without sense: each step is held to a call, the last to the answer."""

    def __init__(self, engine: VLLMEngine) -> None:
        self._engine = engine
        self._functions = Toolbox([note]).functions
        self.turns: list[tuple[list[int], list[int]]] = []
        """The prompt of each turn, and what was sampled after it."""
        self.cached: list[int] = []

    async def generate(self, prompt: Sequence[int], sampling: Sampling) -> AsyncGenerator[Sampled]:
        last = len(self.turns) == STEPS - 1
        grammar = turn_grammar(
            functions=self._functions,
            output_schema=TypeAdapter(Verdict).json_schema(),
            reasoning_budget=8,
            tool_choice="none" if last else "required",
        )
        sampled: list[int] = []
        self.turns.append((list(prompt), sampled))
        held = Sampling(max_tokens=400, grammar=grammar)
        async with aclosing(self._engine.generate(prompt, held)) as pieces:
            async for piece in pieces:
                sampled.extend(piece.tokens)
                if piece.cached_tokens is not None:
                    self.cached.append(piece.cached_tokens)
                yield piece


async def test_a_run_of_twelve_steps_is_served_from_the_cache(random_server: Server) -> None:
    async with httpx.AsyncClient(base_url=random_server.url, trust_env=False) as client:
        engine = VLLMEngine(random_server.url)
        # The canary is a prompt too, and not of this run.
        begun = await counters(client)
        assert await engine.obeys_grammars()
        before = await counted(client, begun["queries"] + len(Transcript().prompt()))
        steered = Steered(engine)
        kind: Any = Verdict
        result = await Agent[str](steered, tools=[note], output_type=kind).run("Do it.")
        prompts = [prompt for prompt, _ in steered.turns]
        after = await counted(client, before["queries"] + sum(map(len, prompts)))
    assert (result.usage.steps, result.usage.tool_calls) == (STEPS, STEPS - 1)
    assert result.output in {"yes", "no"}
    assert after["queries"] - before["queries"] == sum(map(len, prompts))
    assert after["hits"] - before["hits"] == sum(steered.cached)
    # The last sampled token of a step was never computed with, and whole blocks alone are kept.
    could = [
        (len(prompt) + len(sampled) - 1) // BLOCK * BLOCK for prompt, sampled in steered.turns[:-1]
    ]
    assert sum(steered.cached[1:]) >= 0.95 * sum(could)
    assert sum(could) > 10 * BLOCK


async def counted(client: httpx.AsyncClient, queries: int) -> dict[str, int]:
    """The counters once they hold so many queries; a server counts a little behind its answers."""
    with anyio.fail_after(30):
        while (told := await counters(client))["queries"] < queries:
            await anyio.lowlevel.checkpoint()
    return told


async def counters(client: httpx.AsyncClient) -> dict[str, int]:
    """The server's own count of tokens that were looked up in its cache, and found."""
    text = (await client.get("/metrics")).text
    pattern = r"^vllm:prefix_cache_(queries|hits)_total\{.*\} (\S+)$"
    return {name: int(float(value)) for name, value in re.findall(pattern, text, re.MULTILINE)}

"""The whole way on real parts: the tiny model in vLLM, Python in a sandbox, the loop between."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing

import httpx
import pytest

from ossia.agent import (
    Agent,
    Event,
    RunFinished,
    RunResult,
    Sampled,
    Sampling,
    Server,
    StepFinished,
    ToolCallFinished,
    ToolCallStarted,
    VLLMEngine,
)
from ossia.errors import ContextLengthError, ModelNotFoundError
from ossia.sandbox import BubblewrapSandbox, DockerSandbox, Sandbox
from ossia.tools import PythonTool

# The first test of a session also starts the server.
pytestmark = [pytest.mark.vllm, pytest.mark.timeout(300)]

GREEDY = Sampling(temperature=0.0)
SANDBOXES = [
    pytest.param(DockerSandbox, marks=pytest.mark.docker),
    pytest.param(BubblewrapSandbox, marks=pytest.mark.bubblewrap),
]


class Tape:
    """An engine that hands another's tokens on, and keeps prompts and samples of each turn."""

    def __init__(self, engine: VLLMEngine) -> None:
        self._engine = engine
        self.turns: list[tuple[list[int], list[int]]] = []

    async def generate(self, prompt: Sequence[int], sampling: Sampling) -> AsyncGenerator[Sampled]:
        sampled: list[int] = []
        self.turns.append((list(prompt), sampled))
        async with aclosing(self._engine.generate(prompt, sampling)) as pieces:
            async for piece in pieces:
                sampled.extend(piece.tokens)
                yield piece


async def events_of(agent: Agent[str], task: str) -> list[Event]:
    async with aclosing(agent.stream(task)) as events:
        return [event async for event in events]


def result_of(events: Sequence[Event]) -> RunResult[str]:
    last = events[-1]
    assert isinstance(last, RunFinished)
    return last.result


@pytest.mark.parametrize("sandbox", SANDBOXES)
@pytest.mark.parametrize(("task", "product"), [("417 * 38", "15846"), ("7391 * 46", "339986")])
async def test_python_in_the_sandbox_multiplies_what_the_model_was_asked(
    tiny_server: Server,
    sandbox: Callable[[], AbstractAsyncContextManager[Sandbox]],
    task: str,
    product: str,
) -> None:
    agent = Agent(VLLMEngine(tiny_server.url), tools=[PythonTool(sandbox)], sampling=GREEDY)
    events = await events_of(agent, f"What is {task}?")
    assert [event.recipient for event in events if isinstance(event, ToolCallStarted)] == ["python"]
    (answered,) = (event for event in events if isinstance(event, ToolCallFinished))
    assert (answered.text.strip(), answered.failed) == (product, False)
    assert product in result_of(events).output


async def test_a_function_of_the_user_is_called_with_what_the_model_read(
    tiny_server: Server,
) -> None:
    asked: list[str] = []

    def get_weather(city: str) -> dict[str, object]:
        """Get the weather."""
        asked.append(city)
        return {"temperature": 21, "sky": "clear"}

    agent = Agent(VLLMEngine(tiny_server.url), tools=[get_weather], sampling=GREEDY)
    result = await agent.run("What is the weather in Paris?")
    assert asked == ["Paris"]
    assert result.output == "It is 21 degrees and clear in Paris."


async def test_the_prompt_of_a_step_is_the_last_one_and_what_was_sampled(
    tiny_server: Server,
) -> None:
    """And vLLM's own counters agree: what could be cached was."""
    async with httpx.AsyncClient(base_url=tiny_server.url, trust_env=False) as client:
        engine = VLLMEngine(tiny_server.url)
        # The canary is a prompt too, and not of this run.
        assert await engine.obeys_grammars()
        before = await cache_counters(client)
        tape = Tape(engine)
        agent = Agent(tape, tools=[PythonTool(BubblewrapSandbox)], sampling=GREEDY)
        events = await events_of(agent, "Compute 12 * 34 and 56 * 78.")
        after = await cache_counters(client)
    prompts = [prompt for prompt, _ in tape.turns]
    assert len(prompts) == 3
    for (prompt, sampled), following in zip(tape.turns, prompts[1:], strict=False):
        assert following[: len(prompt) + len(sampled)] == prompt + sampled
    usages = [event.usage for event in events if isinstance(event, StepFinished)]
    assert [usage.prompt_tokens for usage in usages] == list(map(len, prompts))
    assert after["queries"] - before["queries"] == sum(map(len, prompts))
    cached = [usage.cached_tokens or 0 for usage in usages]
    assert after["hits"] - before["hits"] == sum(cached)
    for (prompt, sampled), hit in zip(tape.turns, cached[1:], strict=False):
        # Whole blocks alone are cached, and the last sampled token was never computed with.
        computed = len(prompt) + len(sampled) - 1
        assert computed - hit < BLOCK


BLOCK = 128
"""Tokens in a block of vLLM's prefix cache on a CPU."""


async def cache_counters(client: httpx.AsyncClient) -> dict[str, int]:
    text = (await client.get("/metrics")).text
    pattern = r"^vllm:prefix_cache_(queries|hits)_total\{.*\} (\S+)$"
    return {name: int(float(value)) for name, value in re.findall(pattern, text, re.MULTILINE)}


async def test_a_wrong_model_and_a_prompt_too_long_are_told_apart(tiny_server: Server) -> None:
    with pytest.raises(ModelNotFoundError, match=tiny_server.model):
        await Agent(VLLMEngine(tiny_server.url, model="gpt-oss-20b")).run("Hi")
    with pytest.raises(ContextLengthError) as raised:
        await Agent(VLLMEngine(tiny_server.url)).run("Hi " * 10_000)
    assert raised.value.window == 8192
    assert raised.value.prompt_tokens > 10_000

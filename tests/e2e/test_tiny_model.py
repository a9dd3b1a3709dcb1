"""Complete runs on real parts: the tiny model in vLLM, the agent loop, Python in a sandbox."""

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
    TurnRequest,
    VLLMEngine,
)
from ossia.errors import ContextLengthError, ModelNotFoundError
from ossia.sandbox import BubblewrapSandbox, DockerSandbox, Sandbox
from ossia.tools import PythonTool

# The first test of a session also waits for the server to start.
pytestmark = [pytest.mark.vllm, pytest.mark.timeout(300)]

GREEDY = Sampling(temperature=0.0)
SANDBOXES = [
    pytest.param(DockerSandbox, marks=pytest.mark.docker),
    pytest.param(BubblewrapSandbox, marks=pytest.mark.bubblewrap),
]


class Tape:
    """An engine that forwards another engine's tokens and records each turn."""

    def __init__(self, engine: VLLMEngine) -> None:
        self._engine = engine
        self.turns: list[tuple[list[int], list[int]]] = []
        """The prompt and the sampled tokens of each turn."""

    async def generate(self, request: TurnRequest) -> AsyncGenerator[Sampled]:
        sampled: list[int] = []
        self.turns.append((list(request.prompt), sampled))
        async with aclosing(self._engine.generate(request)) as pieces:
            async for piece in pieces:
                sampled.extend(piece.tokens)
                yield piece


async def collect_events(agent: Agent[str], task: str) -> list[Event]:
    async with agent.stream(task) as events:
        return [event async for event in events]


def result_of(events: Sequence[Event]) -> RunResult[str]:
    last = events[-1]
    assert isinstance(last, RunFinished)
    return last.result


@pytest.mark.parametrize("sandbox", SANDBOXES)
@pytest.mark.parametrize(("task", "product"), [("417 * 38", "15846"), ("7391 * 46", "339986")])
async def test_python_in_the_sandbox_multiplies_the_numbers_of_the_task(
    tiny_server: Server,
    sandbox: Callable[[], AbstractAsyncContextManager[Sandbox]],
    task: str,
    product: str,
) -> None:
    agent = Agent(VLLMEngine(tiny_server.url), tools=[PythonTool(sandbox)], sampling=GREEDY)
    events = await collect_events(agent, f"What is {task}?")
    assert [event.recipient for event in events if isinstance(event, ToolCallStarted)] == ["python"]
    (finished,) = (event for event in events if isinstance(event, ToolCallFinished))
    assert (finished.text.strip(), finished.failed) == (product, False)
    assert product in result_of(events).output


async def test_a_user_function_is_called_with_an_argument_from_the_task(
    tiny_server: Server,
) -> None:
    cities: list[str] = []

    def get_weather(city: str) -> dict[str, object]:
        """Get the weather."""
        cities.append(city)
        return {"temperature": 21, "sky": "clear"}

    agent = Agent(VLLMEngine(tiny_server.url), tools=[get_weather], sampling=GREEDY)
    result = await agent.run("What is the weather in Paris?")
    assert cities == ["Paris"]
    assert result.output == "It is 21 degrees and clear in Paris."


async def test_each_prompt_starts_with_the_last_prompt_and_its_sampled_tokens(
    tiny_server: Server,
) -> None:
    """vLLM's counters agree: every block that could be cached was cached."""
    async with httpx.AsyncClient(base_url=tiny_server.url, trust_env=False) as client:
        engine = VLLMEngine(tiny_server.url)
        # The grammar probe also sends a prompt; send it before the counters are read.
        assert await engine.obeys_grammars()
        before = await cache_counters(client)
        tape = Tape(engine)
        agent = Agent(tape, tools=[PythonTool(BubblewrapSandbox)], sampling=GREEDY)
        events = await collect_events(agent, "Compute 12 * 34 and 56 * 78.")
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
        # Only full blocks are cached, and the last sampled token was never an input.
        computed = len(prompt) + len(sampled) - 1
        assert computed - hit < BLOCK


BLOCK = 128
"""Tokens per block of vLLM's prefix cache on a CPU."""


async def cache_counters(client: httpx.AsyncClient) -> dict[str, int]:
    """Return the tokens that the server looked up in its prefix cache, and its hits."""
    text = (await client.get("/metrics")).text
    pattern = r"^vllm:prefix_cache_(queries|hits)_total\{.*\} (\S+)$"
    return {name: int(float(value)) for name, value in re.findall(pattern, text, re.MULTILINE)}


async def test_an_unknown_model_and_a_long_prompt_raise_different_errors(
    tiny_server: Server,
) -> None:
    with pytest.raises(ModelNotFoundError, match=tiny_server.model):
        await Agent(VLLMEngine(tiny_server.url, model="gpt-oss-20b")).run("Hi")
    with pytest.raises(ContextLengthError) as raised:
        await Agent(VLLMEngine(tiny_server.url)).run("Hi " * 10_000)
    assert raised.value.window == 8192
    assert raised.value.prompt_tokens > 10_000

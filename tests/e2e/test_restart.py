"""A server that is killed in the middle of a generation, and started again."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

import anyio
import pytest
from structlog.testing import capture_logs

from examples.tiny_gpt_oss import checkpoint
from ossia.agent import Agent, RunResult, Sampled, Sampling, Server, VLLMEngine, open_server
from ossia.sandbox import BubblewrapSandbox
from ossia.tools import PythonTool

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.bubblewrap,
    pytest.mark.slow,
    pytest.mark.timeout(900),
]

KILLED_AFTER = 4
"""Tokens of the first turn."""


class Tape:
    """An engine that keeps the tokens that another hands on, and kills that one's server."""

    def __init__(self, engine: VLLMEngine, server: Server | None = None) -> None:
        self._engine = engine
        self._server = server
        self.killed = anyio.Event()
        self.turns: list[list[int]] = []

    async def generate(self, prompt: Sequence[int], sampling: Sampling) -> AsyncGenerator[Sampled]:
        sampled: list[int] = []
        self.turns.append(sampled)
        async with aclosing(self._engine.generate(prompt, sampling)) as pieces:
            async for piece in pieces:
                sampled.extend(piece.tokens)
                if len(sampled) >= KILLED_AFTER and not self.killed.is_set():
                    self._kill()
                yield piece

    def _kill(self) -> None:
        """At once and without a word, with all that it started."""
        self.killed.set()
        if self._server is not None:
            assert self._server.process is not None
            os.killpg(self._server.process.pid, signal.SIGKILL)


@dataclass
class Told:
    """A run as it was without trouble, and the same one whose server was killed."""

    calm: Tape
    killed: Tape
    results: list[RunResult[str]]
    events: list[str]


@pytest.fixture(scope="session")
async def told(tiny_server: Server) -> AsyncGenerator[Told]:
    """Both runs. The new server takes the old one's port, and serves the rest of the session."""
    engine = VLLMEngine(tiny_server.url, absence_s=600)
    calm, killed = Tape(engine), Tape(engine, tiny_server)
    results: list[RunResult[str]] = []

    async def run(tape: Tape) -> None:
        greedy = Sampling(temperature=0.0)
        agent = Agent(tape, tools=[PythonTool(BubblewrapSandbox)], sampling=greedy)
        results.append(await agent.run("What is 417 * 38?"))

    await run(calm)
    port = int(tiny_server.url.rpartition(":")[2])
    successor = open_server(checkpoint(), port=port)
    with capture_logs() as logs:
        async with anyio.create_task_group() as group:
            group.start_soon(run, killed)
            await killed.killed.wait()
            assert tiny_server.process is not None
            await tiny_server.process.wait()
            # Left at the session's end: it holds no scope of this task group.
            await successor.__aenter__()
    yield Told(calm, killed, results, [entry["event"] for entry in logs])
    await successor.__aexit__(None, None, None)


async def test_a_run_outlives_its_server(told: Told) -> None:
    before, after = told.results
    assert "15846" in after.output
    assert after.output == before.output
    assert "engine_retried" in told.events, "the server was killed while it was asked"


async def test_no_token_is_lost_or_doubled(told: Told) -> None:
    assert told.killed.turns == told.calm.turns
    before, after = told.results
    assert after.usage.sampled_tokens == before.usage.sampled_tokens

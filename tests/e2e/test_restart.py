"""A server that is killed in the middle of a turn, and then restarted."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

import anyio
import pytest

from examples.tiny_gpt_oss import checkpoint
from ossia.agent import (
    Agent,
    RunResult,
    Sampled,
    Sampling,
    Server,
    TurnRequest,
    VLLMEngine,
    open_server,
)
from ossia.sandbox import BubblewrapSandbox
from ossia.tools import PythonTool

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.bubblewrap,
    pytest.mark.slow,
    pytest.mark.timeout(900),
]

KILL_AFTER = 4
"""Tokens of the first turn before the server is killed."""


class Tape:
    """An engine that records another engine's tokens, and kills its server once."""

    def __init__(self, engine: VLLMEngine, server: Server | None = None) -> None:
        self._engine = engine
        self._server = server
        self.killed = anyio.Event()
        self.turns: list[list[int]] = []

    async def generate(self, request: TurnRequest) -> AsyncGenerator[Sampled]:
        sampled: list[int] = []
        self.turns.append(sampled)
        async with aclosing(self._engine.generate(request)) as pieces:
            async for piece in pieces:
                sampled.extend(piece.tokens)
                if len(sampled) >= KILL_AFTER and not self.killed.is_set():
                    self._kill()
                yield piece

    def _kill(self) -> None:
        """Kill the server and its child processes with SIGKILL."""
        self.killed.set()
        if self._server is not None:
            assert self._server.process is not None
            os.killpg(self._server.process.pid, signal.SIGKILL)


class LogEvents(logging.Handler):
    """A handler that collects the names of events. (`caplog` ends with a test.)"""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.events: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.events.append(vars(record)["event"])


@dataclass
class Comparison:
    """Two runs of the same task: one without trouble, one whose server was killed."""

    undisturbed: Tape
    interrupted: Tape
    results: list[RunResult[str]]
    log_events: list[str]


@pytest.fixture(scope="session")
async def comparison(tiny_server: Server) -> AsyncGenerator[Comparison]:
    """Run both. The new server uses the old one's port and serves the rest of the session."""
    engine = VLLMEngine(tiny_server.url, absence_s=600)
    undisturbed, interrupted = Tape(engine), Tape(engine, tiny_server)
    results: list[RunResult[str]] = []

    async def run(tape: Tape) -> None:
        greedy = Sampling(temperature=0.0)
        agent = Agent(tape, tools=[PythonTool(BubblewrapSandbox)], sampling=greedy)
        results.append(await agent.run("What is 417 * 38?"))

    await run(undisturbed)
    port = int(tiny_server.url.rpartition(":")[2])
    successor = open_server(checkpoint(), port=port)
    log = LogEvents()
    logger = logging.getLogger("ossia")
    logger.addHandler(log)
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(run, interrupted)
            await interrupted.killed.wait()
            assert tiny_server.process is not None
            await tiny_server.process.wait()
            # It is closed at the end of the session. It may outlive this task group, because
            # `open_server` keeps no cancel scope open.
            await successor.__aenter__()
    finally:
        logger.removeHandler(log)
    yield Comparison(undisturbed, interrupted, results, log.events)
    await successor.__aexit__(None, None, None)


async def test_a_run_survives_the_restart_of_its_server(comparison: Comparison) -> None:
    undisturbed, interrupted = comparison.results
    assert "15846" in interrupted.output
    assert interrupted.output == undisturbed.output
    assert "engine_retried" in comparison.log_events, "the server was killed during a turn"


async def test_no_token_is_lost_or_repeated(comparison: Comparison) -> None:
    assert comparison.interrupted.turns == comparison.undisturbed.turns
    undisturbed, interrupted = comparison.results
    assert interrupted.usage.sampled_tokens == undisturbed.usage.sampled_tokens

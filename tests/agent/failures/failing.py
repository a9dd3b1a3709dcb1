"""Engines, tools and output functions that fail, and checks of the facts that an error carries."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from ossia.agent import Agent, RunFacts, Sampled, TurnRequest
from ossia.agent.testing import ScriptedEngine, answer_turn, call_turn
from ossia.errors import OssiaError
from ossia.harmony import Message, ToolNamespace
from ossia.tools import OpenTool, RunContext, Tool, ToolReturn

Raise = Callable[[], None]

STRAY = [asyncio.CancelledError, GeneratorExit]
"""What a run turns into a failure if nobody cancelled it."""


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


CALL = call_turn("add", a=2, b=3, reasoning="Let me add.")


class RaisingEngine(ScriptedEngine):
    """Plays its script; then samples the beginning of an answer and raises."""

    def __init__(self, error: BaseException, turns: Any = (CALL,)) -> None:
        super().__init__(turns)
        self.error = error
        self.turns_left = len(turns)

    async def generate(self, request: TurnRequest) -> AsyncGenerator[Sampled]:
        self.turns_left -= 1
        if self.turns_left >= 0:
            async for piece in super().generate(request):
                yield piece
            return
        yield Sampled(tokens=tuple(answer_turn("It is", reasoning="Five.")[:-1]))
        raise self.error


def tool_that_raises(error: BaseException, *, is_async: bool) -> Any:
    def stop() -> None:
        """Stop."""
        raise error

    async def stop_async() -> None:
        """Stop."""
        raise error

    stop_async.__name__ = "stop"
    return stop_async if is_async else stop


def output_function_that_raises(error: BaseException, *, is_async: bool) -> Any:
    def total(value: int) -> int:
        """Total."""
        raise error

    async def total_async(value: int) -> int:
        """Total."""
        raise error

    return total_async if is_async else total


async def failure_of(agent: Agent[Any], task: str = "2 + 3?") -> BaseException:
    """Run a task, and return what ends the run. It must have the run's facts, pickled or not."""
    with pytest.raises(BaseException) as raised:  # noqa: PT011 - the caller checks it
        await agent.run(task, run_id="r1")
    check_facts(raised.value, task)
    check_facts(pickle.loads(pickle.dumps(raised.value)), task)
    return raised.value


def check_facts(error: BaseException, task: str) -> None:
    facts = RunFacts.of(error)
    assert facts is not None
    assert facts.run_id == "r1"
    assert task in [message.text for message in facts.messages]
    assert facts.usage.steps > 0
    if isinstance(error, OssiaError):
        assert (error.run_id, error.messages, error.usage) == (
            facts.run_id,
            facts.messages,
            facts.usage,
        )


class UnopenableTool(Tool):
    """A tool that raises when a run opens it."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    @property
    def namespace(self) -> ToolNamespace:
        return ToolNamespace("unopenable")

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[OpenTool]:
        raise self.error
        yield self

    async def call(self, call: Message, context: RunContext[Any]) -> ToolReturn:
        raise NotImplementedError


TASKS = ["1", "fail", "3", "4"]

"""A bug in the user's own code never stays hidden: a tool, a hook, a search backend, an engine."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from functools import wraps
from typing import Any
from unittest.mock import AsyncMock

import pytest

from ossia.agent import Agent, Event, Hook, MemoryJournal, Sampled, TurnRequest
from ossia.agent.testing import ScriptedEngine, answer_turn, call_turn, raise_tool_errors
from ossia.errors import RunFacts, ToolError
from ossia.tools import BrowserTool, Hit, RunContext, tool

ASK = call_turn("count", name="a")
BUG = (
    "functions.count raised AttributeError, which the model did not read; "
    'Agent(on_tool_error="raise") shows where'
)


def count(context: RunContext[dict[str, int]], name: str) -> int:
    """Count."""
    return context.deps.get(name, 0)


def refuse(name: str) -> int:
    raise ToolError(f"no {name}")


async def test_a_bug_in_a_tool_is_a_warning() -> None:
    journal = MemoryJournal()
    engine = ScriptedEngine([ASK, ASK, answer_turn("?")])
    agent = Agent(engine, tools=[count], journal=journal)
    result = await agent.run("How many?")
    assert result.warnings == (BUG,)
    assert (await agent.resume(result.run_id)).warnings == (BUG,)


async def test_a_bug_in_a_tool_can_end_the_run() -> None:
    agent = Agent(ScriptedEngine([ASK]), tools=[count], on_tool_error="raise")
    with pytest.raises(AttributeError, match="'NoneType' object has no attribute 'get'") as caught:
        await agent.run("How many?")
    facts = RunFacts.of(caught.value)
    assert facts is not None
    assert facts.messages[-1].recipient == "functions.count"
    assert caught.traceback[-1].name == "count"


async def test_all_runs_of_a_test_session_can_raise_bugs() -> None:
    agent = Agent(ScriptedEngine([ASK, ASK, answer_turn("?")]), tools=[count])
    with raise_tool_errors(), pytest.raises(AttributeError):
        await agent.run("How many?")
    assert (await agent.run("How many?")).output == "?"


async def test_a_tool_error_is_no_bug() -> None:
    turns = [call_turn("refuse", name="a"), answer_turn("none")]
    agent = Agent(ScriptedEngine(turns), tools=[refuse], on_tool_error="raise")
    result = await agent.run("How many?")
    assert (result.output, result.warnings) == ("none", ())


class TooManyParameters(Hook):
    async def on_event(self, event: Event, position: int) -> None:  # type: ignore[override]
        raise NotImplementedError


class TooFewParameters(Hook):
    async def before_turn(self) -> None:  # type: ignore[override]
        raise NotImplementedError


class Plain(Hook):
    def on_event(self, event: Event) -> None:  # type: ignore[override]
        raise NotImplementedError


class PlainEngine:
    def generate(self) -> AsyncGenerator[Sampled]:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("hook", "message"),
    [
        (
            TooManyParameters(),
            r"required argument: 'position'; write `async def on_event",
        ),
        (TooFewParameters(), r"TooFewParameters.before_turn\(\) -> 'None' cannot be called"),
        (Plain(), r"Plain.on_event is not async: write `async def on_event\(self, event\)`"),
    ],
)
def test_a_hook_that_cannot_be_called_is_found_at_construction(hook: Hook, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        Agent(ScriptedEngine([]), hooks=[hook])


def test_an_engine_that_cannot_be_called_is_found_at_construction() -> None:
    engine: Any = PlainEngine()
    with pytest.raises(TypeError, match=r"write `def generate\(self, request\)`"):
        Agent(engine)


def logged(function: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Awaitable[Any]:
        return function(*args, **kwargs)

    return call


class Decorated(Hook):
    @logged
    async def on_event(self, event: Event) -> None:
        pass


class Delegating(Hook):
    def before_turn(self, request: TurnRequest) -> Awaitable[TurnRequest | None]:  # type: ignore[override]
        return Hook().before_turn(request)


class Lambda(Hook):
    before_output = lambda self, output: Hook().before_output(output)  # noqa: E731


class Mocked(Hook):
    before_output = AsyncMock(return_value=None)


async def test_a_hook_may_return_an_awaitable() -> None:
    hooks = [Decorated(), Delegating(), Lambda(), Mocked()]
    agent = Agent(ScriptedEngine([answer_turn("5")]), hooks=hooks)
    assert (await agent.run("2 + 3?")).output == "5"


class WithoutTopn:
    async def search(self, query: str) -> Sequence[Hit]:
        raise NotImplementedError


class WithoutSearch:
    pass


@pytest.mark.parametrize(
    ("backend", "message"),
    [
        (WithoutTopn(), r"got an unexpected keyword argument 'topn'; write `async def search"),
        (WithoutSearch(), r"search is missing: write `async def search\(self, query, \*, topn\)`"),
    ],
)
def test_a_search_backend_that_cannot_be_called(backend: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        BrowserTool(search=backend)


def test_enabled_gets_the_context() -> None:
    always: Any = lambda: True  # noqa: E731
    with pytest.raises(TypeError, match="too many positional arguments; write `lambda context"):
        tool(refuse, enabled=always)

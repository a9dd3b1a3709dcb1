"""Hooks, and an agent with one tool, for the tests of hooks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ossia.agent import Agent, Event, Hook, ReasoningDelta, Refusal, ToolCallReady, TurnRequest
from ossia.agent.testing import ScriptedEngine, answer_turn, call_turn
from ossia.tools import ToolCall, ToolResult

TURNS = [call_turn("add", a=2, b=3, reasoning="Let me add."), answer_turn("5")]


class Adder:
    """The tool `add`, and the arguments that it was called with."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, int]] = []

    def tools(self) -> list[Any]:
        def add(a: int, b: int) -> int:
            """Add two numbers."""
            self.calls.append((a, b))
            return a + b

        return [add]


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def make_agent(
    *hooks: Hook, turns: Sequence[Any] = TURNS, tools: Sequence[Any] = (add,), **options: Any
) -> Agent[Any]:
    return Agent(ScriptedEngine(turns), tools=tools, hooks=hooks, **options)


class Recorder(Hook):
    """Notes the name of every method that runs, and every event."""

    def __init__(self, name: str = "", log: list[str] | None = None) -> None:
        self.name = name
        self.log: list[str] = [] if log is None else log
        self.events: list[Event] = []

    def note(self, method: str) -> None:
        self.log.append(f"{self.name}{method}")

    async def on_event(self, event: Event) -> None:
        self.events.append(event)

    async def before_turn(self, request: TurnRequest) -> TurnRequest | None:
        self.note("before_turn")
        return None

    async def before_tool_call(self, call: ToolCall) -> ToolCall | Refusal | None:
        self.note("before_tool_call")
        return None

    async def after_tool_call(self, call: ToolCall, result: ToolResult) -> ToolResult | None:
        self.note("after_tool_call")
        return None

    async def before_output(self, output: Any) -> Any | None:
        self.note("before_output")
        return None


def with_arguments(call: ToolCall, arguments: str) -> ToolCall:
    return replace(call, message=replace(call.message, content=arguments))


def with_text(result: ToolResult, text: str) -> ToolResult:
    return replace(result, message=replace(result.message, content=text))


class Raiser(Hook):
    """Raises an exception in one of its methods."""

    def __init__(self, method: str, error: BaseException) -> None:
        self.method = method
        self.error = error

    def check(self, method: str) -> None:
        if method == self.method:
            raise self.error

    async def on_event(self, event: Event) -> None:
        self.check("on_event" if isinstance(event, ToolCallReady) else "")
        self.check("on_delta" if isinstance(event, ReasoningDelta) else "")

    async def before_turn(self, request: TurnRequest) -> TurnRequest | None:
        self.check("before_turn")
        return None

    async def before_tool_call(self, call: ToolCall) -> ToolCall | Refusal | None:
        self.check("before_tool_call")
        return None

    async def after_tool_call(self, call: ToolCall, result: ToolResult) -> ToolResult | None:
        self.check("after_tool_call")
        return None

    async def before_output(self, output: Any) -> Any | None:
        self.check("before_output")
        return None

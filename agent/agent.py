"""The description of an agent, and the ways to run it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Generic

import anyio
from typing_extensions import TypeVar

from ..harmony import Message, ReasoningEffort
from ..tools import Tool, Toolbox
from .engine import Engine, Sampling
from .events import Event, RunFinished
from .limits import Limits
from .loop import Run
from .result import RunResult

OutputT = TypeVar("OutputT", default=str)


@dataclass(frozen=True)
class Agent(Generic[OutputT]):
    """A model, its instructions and its tools. It is immutable, and serves many runs at once.

    agent = Agent(VLLMEngine("http://127.0.0.1:8000"), tools=[PythonTool()])
    result = agent.run_sync("What is 417 * 38?")
    print(result.output)
    """

    engine: Engine
    instructions: str | None = field(default=None, kw_only=True)
    """What the model is to be and do; the developer message."""
    tools: Sequence[Tool | Callable[..., Any]] = field(default=(), kw_only=True)
    """What it may call. A plain function is offered as by `@tool`."""
    output_type: type[OutputT] = field(default=str, kw_only=True)  # type: ignore[assignment]
    """What the answer is to be: `str`, or any type that pydantic knows, asked for as JSON."""
    reasoning: ReasoningEffort = field(default="medium", kw_only=True)
    reasoning_budget: int | None = field(default=None, kw_only=True)
    """Tokens of reasoning in a turn; held to by the grammar, so only where the engine obeys it."""
    grammar: bool = field(default=True, kw_only=True)
    """Hold every turn to its grammar: a malformed one cannot be sampled then."""
    limits: Limits = field(default=Limits(), kw_only=True)
    sampling: Sampling = field(default=Sampling(), kw_only=True)
    output_retries: int = field(default=2, kw_only=True)
    """How often an answer of the wrong type goes back to the model."""
    turn_retries: int = field(default=2, kw_only=True)
    """How many turns that led nowhere are sampled again."""
    today: date | None = field(default=None, kw_only=True)
    """The date that the model is told; None is today's."""

    def __post_init__(self) -> None:
        # Read once, so that a tool that cannot be offered is told here, and costs a run nothing.
        object.__setattr__(self, "tools", Toolbox(self.tools).tools)

    async def run(
        self, task: str | Sequence[Message], *, deps: object = None
    ) -> RunResult[OutputT]:
        """Work on a task until it is answered.

        task: what the user asks, or a conversation that ends with it.
        deps: handed to the tools as `RunContext.deps`.

        Raises EngineError, LimitExceeded, OutputError or TurnError.
        """
        async with aclosing(self.stream(task, deps=deps)) as events:
            async for event in events:
                if isinstance(event, RunFinished):
                    return event.result
        raise AssertionError("a run's last event is RunFinished")

    def run_sync(self, task: str | Sequence[Message], *, deps: object = None) -> RunResult[OutputT]:
        """`run` for programs without an event loop."""
        return anyio.run(lambda: self.run(task, deps=deps))

    def stream(
        self, task: str | Sequence[Message], *, deps: object = None
    ) -> AsyncGenerator[Event]:
        """`run`, told event by event as it happens; the last event is RunFinished.

        Leaving the loop early ends the run. Wrap the generator in `contextlib.aclosing` to have
        its sandboxes and connections gone at that very moment.
        """
        return Run(self, deps).events(task)

"""The description of an agent, and the ways to run it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

import anyio

from ..harmony import Message
from .events import Event, RunFinished
from .loop import Run
from .result import RunResult
from .settings import OutputT, Settings


@dataclass(frozen=True)
class Agent(Settings[OutputT]):
    """A model, its instructions and its tools. It is immutable, and serves many runs at once.

    agent = Agent(VLLMEngine("http://127.0.0.1:8000"), tools=[PythonTool()])
    result = agent.run_sync("What is 417 * 38?")
    print(result.output)
    """

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

"""A function-calling agent: the model calls a Python function of yours, and you watch it.

    ossia engine MODEL                      # in another terminal
    python examples/function_calling.py

The function's name, description and parameters reach the model from its signature and docstring;
what the caller hands over as `deps` reaches the function, and never the model.
"""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass, field

import anyio
import structlog

from ossia.agent import (
    Agent,
    AnswerDelta,
    ReasoningDelta,
    ToolCallFinished,
    ToolCallStarted,
    VLLMEngine,
)
from ossia.tools import RunContext, ToolError, tool


@dataclass
class Station:
    """Where the readings come from: a database in your program, a dictionary here."""

    readings: dict[str, tuple[int, str]] = field(
        default_factory=lambda: {"Paris": (21, "sunny"), "Oslo": (-3, "snow")}
    )


@tool
def get_weather(context: RunContext[Station], city: str) -> dict[str, int | str]:
    """Get the current weather in a city."""
    if city not in context.deps.readings:
        raise ToolError(f"no station in {city}; there are: {', '.join(context.deps.readings)}")
    temperature, sky = context.deps.readings[city]
    return {"temperature": temperature, "sky": sky}


async def ask(url: str, task: str = "What is the weather in Paris?") -> None:
    """Put a task to the model at `url`, and print what happens as it happens."""
    async with VLLMEngine(url) as engine:
        agent = Agent(engine, instructions="Answer in one sentence.", tools=[get_weather])
        async with agent.stream(task, deps=Station()) as events:
            async for event in events:
                match event:
                    case ReasoningDelta(text=text) | AnswerDelta(text=text):
                        print(text, end="", flush=True)
                    case ToolCallStarted(recipient=recipient):
                        print(f"\n→ {recipient}")
                    case ToolCallFinished(text=text):
                        print(f"← {text}")
                    case _:
                        pass
    print()


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    anyio.run(ask, sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000")

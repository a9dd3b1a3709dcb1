"""A function-calling agent: the model calls a Python function, and you see it happen.

    ossia engine MODEL                      # in another terminal
    python examples/function_calling.py

The model learns about a function from its name, type hints and docstring. The function gets the
program's own data as `context.deps`, which the model never sees.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from functools import partial

import anyio

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
class WeatherStations:
    """The latest readings by city. In a real program, a database or an HTTP client."""

    readings: dict[str, tuple[int, str]] = field(
        default_factory=lambda: {"Paris": (21, "sunny"), "Oslo": (-3, "snow")}
    )


@tool
def get_weather(context: RunContext[WeatherStations], city: str) -> dict[str, int | str]:
    """Get the current weather in a city."""
    readings = context.deps.readings
    if city not in readings:
        raise ToolError(f"no weather station in {city}; known cities: {', '.join(readings)}")
    temperature, sky = readings[city]
    return {"temperature": temperature, "sky": sky}


async def main(url: str = "http://127.0.0.1:8000") -> None:
    """Ask about the weather, and print what happens as it happens."""
    async with VLLMEngine(url) as engine:
        agent = Agent(engine, instructions="Answer in one sentence.", tools=[get_weather])
        async with agent.stream("What is the weather in Paris?", deps=WeatherStations()) as run:
            async for event in run:
                match event:
                    case ReasoningDelta(text=text) | AnswerDelta(text=text):
                        print(text, end="", flush=True)
                    case ToolCallStarted(recipient=recipient):
                        print(f"\n→ {recipient}")
                    case ToolCallFinished(text=text):
                        print(f"← {text}")
                    case _:
                        pass
    print(f"\n({run.result.usage.steps} steps)")


if __name__ == "__main__":
    anyio.run(partial(main, *sys.argv[1:]))

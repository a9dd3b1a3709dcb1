"""`python -m examples.tiny_gpt_oss.evaluate`: held-out tasks, worked on by whole agent runs.

Everything is real: a vLLM server, ossia's loop at temperature 1, a sandbox for each run, a tool.
Prints the table of the README, and on stderr what went wrong.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import anyio
import structlog
from pydantic import BaseModel

from ossia.agent import Agent, Limits, Sampling, VLLMEngine, open_server
from ossia.errors import OssiaError
from ossia.harmony import Message
from ossia.tools import PythonTool, Tool, ToolError, tool

from .expand import checkpoint
from .failing import FailsFirst
from .tasks import Effort, Family, Manner, Task, make_task
from .transcripts import messages
from .wording import Style

TURN = 300
"""Tokens of a turn at the most: right ones have a hundred, wrong ones may not end."""
EFFORTS: tuple[Effort, ...] = ("low", "medium", "high")


class Calculation(BaseModel):
    """An expression and its value."""

    expression: str
    result: float


class Weather(BaseModel):
    """The weather in a city."""

    city: str
    temperature: float
    sky: str


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table: which tasks, and what befalls them."""

    name: str
    family: Family
    style: Style = "plain"
    fails: bool = False
    """The first call fails."""
    history: int = 0
    """Finished tasks that stand before it in the conversation."""
    output_type: type[BaseModel] | None = None


ROWS = (
    Row("arithmetic", "sum"),
    Row("arithmetic, freely put", "sum", "free"),
    Row("division with a remainder", "division"),
    Row("weather", "weather"),
    Row("weather, freely put", "weather", "free"),
    Row("arithmetic; the first call fails", "sum", fails=True),
    Row("weather; the first call fails", "weather", fails=True),
    Row("two expressions, two calls", "two sums"),
    Row("arithmetic, after 8 tasks", "sum", history=8),
    Row("weather, after 8 tasks", "weather", history=8),
    Row("greetings, thanks, farewells", "talk"),
    Row("arithmetic, answered in JSON", "sum", output_type=Calculation),
    Row("weather, answered in JSON", "weather", output_type=Weather),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one run ended."""

    task: Task
    output: Any
    calls: int
    right: bool
    crashed: bool = False


def cases(row: Row, count: int, seed: int) -> Iterator[tuple[Task, Effort, Random]]:
    """Held-out tasks of a row: the same for the same seed."""
    for at in range(count):
        rng = Random(f"{seed} {row.name} {at}")
        effort = rng.choice(EFFORTS)
        yield make_task(rng, row.family, Manner("heldout", row.style, effort)), effort, rng


async def run(base: Agent[Any], row: Row, task: Task, effort: Effort, rng: Random) -> Outcome:
    """One task for an agent like `base`, with the tool it takes and perhaps the other one too."""
    asks_weather = row.family == "weather"
    tools: list[Tool] = []
    if asks_weather or rng.random() < 0.5:
        tools.append(weather_tool(task))
    if not asks_weather or rng.random() < 0.5:
        tools.append(PythonTool())
    if row.fails:
        tools = [FailsFirst(one) for one in tools]
    agent: Agent[Any] = replace(
        base,
        tools=tools,
        reasoning=effort,
        output_type=row.output_type or str,
        sampling=Sampling(temperature=1.0, max_tokens=TURN, seed=rng.randrange(2**31)),
    )
    earlier = [make_task(rng, row.family, Manner(None)) for _ in range(row.history)]
    said = [message for one in earlier for message in messages(one)]
    try:
        result = await agent.run([*said, Message("user", task.user)])
    except OssiaError as error:
        return Outcome(task, f"{type(error).__name__}: {error}", 0, right=False, crashed=True)
    calls = len(task.steps) + row.fails
    output = result.output
    right = is_right(output, task) and result.usage.tool_calls == calls
    return Outcome(task, output, result.usage.tool_calls, right)


def is_right(output: Any, task: Task) -> bool:
    """Whether an output says what the task's answer says."""
    if isinstance(output, BaseModel):
        said = output.model_dump()
        return bool(said == {name: json.loads(task.facts[name]) for name in said})
    return bool(output == task.final)


def weather_tool(task: Task) -> Tool:
    """A function that knows the weather of the task's place, and of no other."""

    @tool
    def get_weather(city: str) -> str:
        """The current weather in a city.

        Args:
            city: The name of the city.
        """
        if json.dumps(city) != task.facts.get("city"):
            raise ToolError(f"unknown city {city!r}")
        return task.steps[-1].answer

    return get_weather


async def evaluate(base: Agent[Any], options: Namespace) -> None:
    """Run all rows, and print the table."""
    print("| held-out tasks | right | of | raised | seconds |")
    print("| --- | --- | --- | --- | --- |")
    for row in (row for row in ROWS if options.only in row.name):
        began = time.monotonic()
        outcomes = await run_all(base, row, options)
        wrong = [one for one in outcomes if not one.right]
        crashed = sum(one.crashed for one in outcomes)
        seconds = time.monotonic() - began
        count = len(outcomes)
        print(f"| {row.name} | {count - len(wrong)} | {count} | {crashed} | {seconds:.0f} |")
        sys.stdout.flush()
        for one in wrong[: options.show]:
            print(
                f"  {one.task.user!r}: {one.output!r} after {one.calls} calls, "
                f"not {one.task.final!r}",
                file=sys.stderr,
            )


async def run_all(base: Agent[Any], row: Row, options: Namespace) -> list[Outcome]:
    """Every case of a row, some at once."""
    outcomes: list[Outcome] = []
    limiter = anyio.CapacityLimiter(options.at_once)

    async def one(task: Task, effort: Effort, rng: Random) -> None:
        async with limiter:
            outcomes.append(await run(base, row, task, effort, rng))

    async with anyio.create_task_group() as group:
        for task, effort, rng in cases(row, options.tasks, options.seed):
            group.start_soon(one, task, effort, rng)
    return outcomes


async def main() -> None:
    """Serve the model, unless a URL says where it is served, and evaluate it."""
    options = read_options()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    async with AsyncExitStack() as stack:
        url = options.url
        if url is None:
            server = await stack.enter_async_context(open_server(checkpoint()))
            url = server.url
        engine = await stack.enter_async_context(VLLMEngine(url))
        base: Agent[Any] = Agent(engine, limits=Limits(steps=6), grammar=not options.no_grammar)
        await evaluate(base, options)


def read_options() -> Namespace:
    """The command line."""
    parser = ArgumentParser(description="Evaluate the tiny gpt-oss by whole agent runs.")
    parser.add_argument("--tasks", type=int, default=100, help="tasks in each row")
    parser.add_argument("--only", default="", help="rows whose name holds this")
    parser.add_argument("--at-once", type=int, default=4, help="runs side by side")
    parser.add_argument("--seed", type=int, default=77, help="decides the tasks and the sampling")
    parser.add_argument("--show", type=int, default=3, help="wrong answers shown of each row")
    parser.add_argument("--no-grammar", action="store_true", help="let turns be malformed")
    parser.add_argument("--url", help="of a server that runs already")
    return parser.parse_args()


if __name__ == "__main__":
    anyio.run(main)

"""Run the tiny model on held-out tasks: `python -m examples.tiny_gpt_oss.evaluate`.

Each task is a complete agent run at temperature 1 with a vLLM server, tools and a sandbox. This
prints the table of the README, and wrong outputs on stderr.
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

from .data.questions import Style
from .data.tasks import Effort, Family, Task, TaskOptions, make_task
from .data.transcripts import task_messages
from .expand import checkpoint
from .fails_first import FailsFirst

MAX_TURN_TOKENS = 300
"""Correct turns have about a hundred tokens; wrong ones might not end."""
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
    """A row of the table: a kind of task and its conditions."""

    name: str
    """The name also seeds the tasks: with another name the row has other tasks."""
    family: Family
    style: Style = "plain"
    first_call_fails: bool = False
    history: int = 0
    """Finished tasks before it in the conversation."""
    output_type: type[BaseModel] | None = None


ROWS = (
    Row("arithmetic", "sum"),
    Row("arithmetic, freely put", "sum", "free"),
    Row("division with a remainder", "division"),
    Row("weather", "weather"),
    Row("weather, freely put", "weather", "free"),
    Row("arithmetic; the first call fails", "sum", first_call_fails=True),
    Row("weather; the first call fails", "weather", first_call_fails=True),
    Row("two expressions, two calls", "two sums"),
    Row("arithmetic, after 8 tasks", "sum", history=8),
    Row("weather, after 8 tasks", "weather", history=8),
    Row("greetings, thanks, farewells", "talk"),
    Row("arithmetic, answered in JSON", "sum", output_type=Calculation),
    Row("weather, answered in JSON", "weather", output_type=Weather),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of one run."""

    task: Task
    output: Any
    calls: int
    correct: bool
    raised: bool = False


def cases(row: Row, count: int, seed: int) -> Iterator[tuple[Task, Effort, Random]]:
    """Yield the held-out tasks of a row, the same for the same seed."""
    for number in range(count):
        rng = Random(f"{seed} {row.name} {number}")
        effort = rng.choice(EFFORTS)
        yield make_task(rng, row.family, TaskOptions("heldout", row.style, effort)), effort, rng


async def run_task(base: Agent[Any], row: Row, task: Task, effort: Effort, rng: Random) -> Outcome:
    """Run one task with an agent like `base`, with the tool it needs and perhaps the other one."""
    asks_weather = row.family == "weather"
    tools: list[Tool] = []
    if asks_weather or rng.random() < 0.5:
        tools.append(weather_tool(task))
    if not asks_weather or rng.random() < 0.5:
        tools.append(PythonTool())
    if row.first_call_fails:
        tools = [FailsFirst(wrapped) for wrapped in tools]
    agent: Agent[Any] = replace(
        base,
        tools=tools,
        reasoning=effort,
        output_type=row.output_type or str,
        sampling=Sampling(temperature=1.0, max_tokens=MAX_TURN_TOKENS, seed=rng.randrange(2**31)),
    )
    earlier = [make_task(rng, row.family, TaskOptions(None)) for _ in range(row.history)]
    history = [message for finished in earlier for message in task_messages(finished)]
    try:
        result = await agent.run([*history, Message("user", task.user)])
    except OssiaError as error:
        return Outcome(task, f"{type(error).__name__}: {error}", 0, correct=False, raised=True)
    calls = len(task.steps) + row.first_call_fails
    output = result.output
    correct = is_correct(output, task) and result.usage.tool_calls == calls
    return Outcome(task, output, result.usage.tool_calls, correct)


def is_correct(output: Any, task: Task) -> bool:
    """Tell whether an output equals the task's answer."""
    if isinstance(output, BaseModel):
        values = output.model_dump()
        return bool(values == {name: json.loads(task.facts[name]) for name in values})
    return bool(output == task.final)


def weather_tool(task: Task) -> Tool:
    """Return a function that knows the weather of the task's city only."""

    @tool
    def get_weather(city: str) -> str:
        """The current weather in a city.

        Args:
            city: The name of the city.
        """
        if json.dumps(city) != task.facts.get("city"):
            raise ToolError(f"unknown city {city!r}")
        return task.steps[-1].result

    return get_weather


async def evaluate(base: Agent[Any], options: Namespace) -> None:
    """Run all rows and print the table."""
    print("| held-out tasks | correct | of | raised | seconds |")
    print("| --- | --- | --- | --- | --- |")
    for row in (row for row in ROWS if options.only in row.name):
        start = time.monotonic()
        outcomes = await run_all(base, row, options)
        wrong = [outcome for outcome in outcomes if not outcome.correct]
        raised = sum(outcome.raised for outcome in outcomes)
        seconds = time.monotonic() - start
        count = len(outcomes)
        print(f"| {row.name} | {count - len(wrong)} | {count} | {raised} | {seconds:.0f} |")
        sys.stdout.flush()
        for outcome in wrong[: options.show]:
            print(
                f"  {outcome.task.user!r}: {outcome.output!r} after {outcome.calls} calls, "
                f"expected {outcome.task.final!r}",
                file=sys.stderr,
            )


async def run_all(base: Agent[Any], row: Row, options: Namespace) -> list[Outcome]:
    """Run all tasks of a row, several at a time."""
    outcomes: list[Outcome] = []
    limiter = anyio.CapacityLimiter(options.at_once)

    async def run_one(task: Task, effort: Effort, rng: Random) -> None:
        async with limiter:
            outcomes.append(await run_task(base, row, task, effort, rng))

    async with anyio.create_task_group() as group:
        for task, effort, rng in cases(row, options.tasks, options.seed):
            group.start_soon(run_one, task, effort, rng)
    return outcomes


async def main() -> None:
    """Serve the model, unless a URL of a server is given, and evaluate it."""
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
    """Parse the command line."""
    parser = ArgumentParser(description="Evaluate the tiny gpt-oss with agent runs.")
    parser.add_argument("--tasks", type=int, default=100, help="tasks per row")
    parser.add_argument("--only", default="", help="run only rows whose name contains this")
    parser.add_argument("--at-once", type=int, default=4, help="number of concurrent runs")
    parser.add_argument("--seed", type=int, default=77, help="seed of tasks and sampling")
    parser.add_argument("--show", type=int, default=3, help="wrong outputs to print per row")
    parser.add_argument("--no-grammar", action="store_true", help="allow malformed turns")
    parser.add_argument("--url", help="URL of a running server")
    return parser.parse_args()


if __name__ == "__main__":
    anyio.run(main)

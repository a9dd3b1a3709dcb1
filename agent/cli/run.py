"""`ossia run`: one task, from the command line."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import anyio
import typer
from pydantic import TypeAdapter
from rich.console import Console

from ...errors import ToolDefinitionError
from ...tools import PythonTool, Tool
from ..agent import Agent
from ..engine import Sampling
from ..events import Event, RunFinished
from ..limits import Limits
from ..vllm import VLLMEngine
from .display import Display
from .engine import open_with_progress

DEFAULT_URL = "http://127.0.0.1:8000"

_events: TypeAdapter[Event] = TypeAdapter(Event)


@dataclass(frozen=True)
class _Place:
    """Where the engine is: a server that runs, or a model to start one for."""

    url: str
    model: str | None
    serve: str | None
    api_key: str | None


def run(  # noqa: PLR0913 - each is an option of the command
    task: Annotated[str, typer.Argument(help="What to do; - reads it from standard input.")],
    *,
    engine: Annotated[
        str, typer.Option(help="The vLLM server.", envvar="OSSIA_ENGINE")
    ] = DEFAULT_URL,
    model: Annotated[str | None, typer.Option(help="Its model; the first it lists.")] = None,
    serve: Annotated[
        str | None, typer.Option(help="Start a server for this model, and stop it afterwards.")
    ] = None,
    tool: Annotated[
        list[str] | None,
        typer.Option("--tool", "-t", help="python, or module:function, or file.py:function."),
    ] = None,
    instructions: Annotated[str | None, typer.Option("--instructions", "-i")] = None,
    reasoning: Annotated[Literal["low", "medium", "high"], typer.Option()] = "medium",
    temperature: Annotated[float, typer.Option(min=0.0)] = 1.0,
    seed: Annotated[int | None, typer.Option()] = None,
    max_steps: Annotated[int | None, typer.Option(min=1, help="Turns of the model.")] = 50,
    max_seconds: Annotated[float | None, typer.Option(min=0.0)] = None,
    api_key: Annotated[str | None, typer.Option(envvar="OSSIA_API_KEY", show_envvar=True)] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the answer alone.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print events, as lines of JSON.")] = False,
) -> None:
    """Work on a task, and show how: reasoning, calls, their answers, the answer."""
    sampling = Sampling(temperature=temperature, seed=seed)
    limits = Limits(steps=max_steps, seconds=max_seconds)
    tools = [load_tool(name) for name in tool or ()]
    text = sys.stdin.read() if task == "-" else task
    place = _Place(engine, model, serve, api_key)
    show = _printer(quiet=quiet, json=json)

    async def work() -> None:
        async with _open_engine(place) as opened:
            agent = Agent(
                opened,
                instructions=instructions,
                tools=tools,
                reasoning=reasoning,
                sampling=sampling,
                limits=limits,
            )
            async with aclosing(agent.stream(text)) as events:
                async for event in events:
                    show(event)

    anyio.run(work)


def load_tool(name: str) -> Tool | Callable[..., Any]:
    """The tool that `--tool` names. Raises ToolDefinitionError if there is none."""
    if name == "python":
        return PythonTool()
    place, colon, attribute = name.rpartition(":")
    if not colon:
        raise ToolDefinitionError(
            f"no tool {name!r}; known: python, module:function, file.py:function"
        )
    try:
        module = _load_file(Path(place)) if place.endswith(".py") else _load_module(place)
        found: Any = getattr(module, attribute)
    except (ImportError, OSError, AttributeError) as error:
        raise ToolDefinitionError(f"cannot load the tool {name!r}: {error}") from error
    return cast("Tool | Callable[..., Any]", found)


def _load_module(name: str) -> object:
    sys.path.insert(0, str(Path.cwd()))
    try:
        return importlib.import_module(name)
    finally:
        del sys.path[0]


def _load_file(path: Path) -> object:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@asynccontextmanager
async def _open_engine(place: _Place) -> AsyncGenerator[VLLMEngine]:
    async with AsyncExitStack() as stack:
        url, model = place.url, place.model
        if place.serve is not None:
            server = await stack.enter_async_context(open_with_progress(place.serve))
            url, model = server.url, server.model
        engine = VLLMEngine(url, model=model, api_key=place.api_key)
        yield await stack.enter_async_context(engine)


def _printer(*, quiet: bool, json: bool) -> Callable[[Event], None]:
    """What is done with each event."""
    if json:
        return lambda event: print(_events.dump_json(event).decode(), flush=True)  # noqa: T201
    if quiet:
        return _print_answer
    return Display(Console(highlight=False)).show


def _print_answer(event: Event) -> None:
    if isinstance(event, RunFinished):
        print(event.result.output)  # noqa: T201 - the command's very output

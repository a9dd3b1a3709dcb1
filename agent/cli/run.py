"""`ossia run` and `ossia resume`: one task, from the command line."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Annotated

import anyio
import typer
from pydantic import TypeAdapter
from rich.console import Console

from ...errors import JournalError
from ..agent import Agent
from ..events import Event, RunFinished
from ..journal import RunOpened, SQLiteJournal
from . import options
from .agent_options import Setup, takes_setup
from .display import Display

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print the answer alone.")]
Json = Annotated[bool, typer.Option("--json", help="Print events, as lines of JSON.")]

_events: TypeAdapter[Event] = TypeAdapter(Event)


@takes_setup()
def run(
    task: Annotated[str, typer.Argument(help="What to do; - reads it from standard input.")],
    *,
    setup: Setup,
    api_key: options.ApiKey = None,
    journal: options.JournalFile = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Work on a task, and show how: reasoning, calls, their answers, the answer."""
    text = sys.stdin.read() if task == "-" else task

    def begin(agent: Agent) -> AsyncGenerator[Event]:
        return agent.stream(text, about=setup.model_dump(mode="json"))

    _work(setup, SQLiteJournal(journal), api_key, begin, _printer(quiet=quiet, json=json))


def resume(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="As `ossia runs` lists it.")],
    *,
    engine: Annotated[
        str | None, typer.Option(help="The vLLM server, if it is another one by now.")
    ] = None,
    api_key: options.ApiKey = None,
    journal: options.JournalFile = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Go on with a run where it was killed, interrupted, or failed."""
    kept = SQLiteJournal(journal)
    setup = anyio.run(_setup_of, kept, run_id)
    if engine is not None:
        setup = setup.model_copy(update={"engine": engine, "serve": None})

    def go_on(agent: Agent) -> AsyncGenerator[Event]:
        return agent.stream_resumed(run_id)

    _work(setup, kept, api_key, go_on, _printer(quiet=quiet, json=json))


async def _setup_of(journal: SQLiteJournal, run_id: str) -> Setup:
    """What the command line said when the run began."""
    opened, *_ = await journal.read(run_id)
    if isinstance(opened, RunOpened) and opened.metadata:
        return Setup.model_validate(opened.metadata)
    raise JournalError(
        f"the run {run_id} was not begun by `ossia run`; go on with it by Agent.resume",
        run_id=run_id,
    )


def _work(
    setup: Setup,
    journal: SQLiteJournal,
    api_key: str | None,
    start: Callable[[Agent], AsyncGenerator[Event]],
    show: Callable[[Event], None],
) -> None:
    """Show a run's events as they come."""

    async def work() -> None:
        async with setup.open(journal, api_key=api_key) as agent, aclosing(start(agent)) as events:
            async for event in events:
                show(event)

    anyio.run(work)


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

"""`ossia run` and `ossia resume`: one task, from the command line."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any

import anyio
import typer
from rich.console import Console

from ...errors import JournalError
from ..agent import Agent
from ..hooks import Hook
from ..journal import RunOpened, SQLiteJournal
from . import options
from .agent_options import AgentOptions, with_agent_options
from .display import AnswerOnly, ConsoleDisplay, JsonLines, UsageLine

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print only the answer.")]
Json = Annotated[bool, typer.Option("--json", help="Print events as lines of JSON.")]


@with_agent_options()
def run(
    task: Annotated[str, typer.Argument(help="What to do; - reads it from standard input.")],
    *,
    agent_options: AgentOptions,
    api_key: options.ApiKey = None,
    journal: options.JournalFile = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Work on a task and show how: reasoning, tool calls and their results, the answer."""
    text = sys.stdin.read() if task == "-" else task
    metadata = agent_options.model_dump(mode="json")
    _execute(
        agent_options,
        SQLiteJournal(journal),
        api_key,
        lambda agent: agent.run(text, metadata=metadata),
        _hooks(quiet=quiet, json=json),
    )


def resume(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="An id that `ossia runs` lists.")],
    *,
    engine: Annotated[
        str | None, typer.Option(help="The vLLM server, if it is a different one now.")
    ] = None,
    api_key: options.ApiKey = None,
    journal: options.JournalFile = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Continue a run that was killed or interrupted, or that failed."""
    runs = SQLiteJournal(journal)
    agent_options = anyio.run(_recorded_options, runs, run_id)
    if engine is not None:
        agent_options = agent_options.model_copy(update={"engine": engine, "serve": None})
    _execute(
        agent_options,
        runs,
        api_key,
        lambda agent: agent.resume(run_id),
        _hooks(quiet=quiet, json=json),
    )


async def _recorded_options(journal: SQLiteJournal, run_id: str) -> AgentOptions:
    """Return the options of the command that started the run."""
    opened, *_ = await journal.read(run_id)
    if isinstance(opened, RunOpened) and opened.metadata:
        return AgentOptions.model_validate(opened.metadata)
    raise JournalError(
        f"the run {run_id} was not started by `ossia run`; resume it with Agent.resume",
        run_id=run_id,
    )


def _execute(
    agent_options: AgentOptions,
    journal: SQLiteJournal,
    api_key: str | None,
    work: Callable[[Agent], Awaitable[Any]],
    hooks: Sequence[Hook],
) -> None:
    """Open the agent and let it work, while the hooks show its events."""

    async def main() -> None:
        async with agent_options.open(journal, api_key=api_key, hooks=hooks) as agent:
            await work(agent)

    anyio.run(main)


def _hooks(*, quiet: bool, json: bool) -> Sequence[Hook]:
    if json:
        return [JsonLines()]
    if quiet:
        return [AnswerOnly()]
    console = Console(highlight=False)
    return [ConsoleDisplay(console), UsageLine(console)]

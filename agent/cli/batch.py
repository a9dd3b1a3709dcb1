"""`ossia batch`: many tasks at once, a line of JSON for each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import anyio
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from typer import BadParameter

from ..journal import SQLiteJournal
from ..run import Outcome
from . import options
from .agent_options import Setup, takes_setup


@takes_setup("seed")
def batch(
    tasks: Annotated[
        typer.FileText,
        typer.Argument(help="A task a line; - reads standard input. A line may be a JSON string."),
    ],
    results: Annotated[
        Path, typer.Argument(help="Gets a line of JSON for each task, as they finish.")
    ],
    *,
    setup: Setup,
    concurrency: Annotated[int, typer.Option("--concurrency", "-c", min=1)] = 16,
    api_key: options.ApiKey = None,
    journal: options.JournalFile = None,
) -> None:
    """Work on many tasks at once. Called again, it does those that have no answer yet."""
    asked = list(_tasks(tasks.read()))
    answered = _answered(results, asked)
    open_tasks = [index for index in range(len(asked)) if index not in answered]

    async def work() -> int:
        failed = 0
        with _progress() as progress, results.open("a", encoding="utf-8") as out:
            bar = progress.add_task("", total=len(asked), completed=len(answered), failed="")
            async with (
                setup.open(SQLiteJournal(journal), api_key=api_key) as agent,
                agent.run_many([asked[i] for i in open_tasks], concurrency=concurrency) as outcomes,
            ):
                async for outcome in outcomes:
                    line = _line(open_tasks[outcome.index], outcome)
                    print(json.dumps(line, ensure_ascii=False), file=out, flush=True)
                    failed += outcome.error is not None
                    progress.update(bar, advance=1, failed=f"{failed} failed" if failed else "")
        return failed

    if anyio.run(work):
        raise typer.Exit(1)


def _tasks(text: str) -> Iterator[str]:
    """The tasks of a file; lines without any are passed over."""
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.startswith('"'):
            if line.strip():
                yield line.strip()
            continue
        try:
            yield str(json.loads(line))
        except ValueError as error:
            raise BadParameter(f"line {number} is no JSON string: {error}") from error


def _answered(results: Path, asked: list[str]) -> set[int]:
    """Which tasks an earlier call has answered. Raises BadParameter if it was about other tasks."""
    answered: set[int] = set()
    if not results.exists():
        return answered
    for number, line in enumerate(results.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            found: dict[str, Any] = json.loads(line)
            index = int(found["index"])
            same = asked[index] == found["task"]
        except (ValueError, TypeError, LookupError):
            same, found, index = False, {}, -1
        if not same:
            raise BadParameter(
                f"line {number} of {results} is no result of these tasks; name another file for "
                "the results, or remove this one"
            )
        if found.get("error") is None:
            answered.add(index)
    return answered


def _line(index: int, outcome: Outcome[str]) -> dict[str, Any]:
    """What the results say of a task."""
    line: dict[str, Any] = {"index": index, "task": outcome.task}
    if outcome.result is None:
        error = outcome.error
        run_id = getattr(error, "run_id", "")
        return line | {"error": f"{type(error).__name__}: {error}", "run_id": run_id}
    result = outcome.result
    return line | {
        "output": result.output,
        "error": None,
        "run_id": result.run_id,
        "steps": result.usage.steps,
        "sampled_tokens": result.usage.sampled_tokens,
        "seconds": round(result.seconds, 3),
    }


def _progress() -> Progress:
    return Progress(
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[failed]}", style="red"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )

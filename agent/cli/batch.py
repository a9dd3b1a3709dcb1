"""`ossia batch`: many tasks at once, with a line of JSON for each."""

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

from ...errors import RunFacts
from ...harmony.format import replace_surrogates
from ..journal import SQLiteJournal
from ..run import Outcome
from . import options
from .agent_options import AgentOptions, with_agent_options


@with_agent_options("seed")
def batch(
    tasks: Annotated[
        typer.FileBinaryRead,
        typer.Argument(
            help="One task per line; - reads standard input. A line may be a JSON string."
        ),
    ],
    results: Annotated[
        Path, typer.Argument(help="The file that gets one line of JSON per finished task.")
    ],
    *,
    agent_options: AgentOptions,
    concurrency: Annotated[
        int, typer.Option("--concurrency", "-c", min=1, help="Number of tasks at once.")
    ] = 16,
    api_key: options.ApiKey = None,
    journal: options.JournalFile = None,
) -> None:
    """Work on many tasks at once. Run it again to work on the tasks that have no result yet."""
    all_tasks = list(_read_tasks(_decode(tasks.read(), "the file of tasks")))
    finished = _finished_tasks(results, all_tasks)
    open_tasks = [index for index in range(len(all_tasks)) if index not in finished]

    async def main() -> int:
        failed = 0
        with _progress() as progress, results.open("a", encoding="utf-8") as out:
            bar = progress.add_task("", total=len(all_tasks), completed=len(finished), failed="")
            async with (
                agent_options.open(SQLiteJournal(journal), api_key=api_key) as agent,
                agent.run_many(
                    [all_tasks[index] for index in open_tasks], concurrency=concurrency
                ) as outcomes,
            ):
                async for outcome in outcomes:
                    line = _result_line(open_tasks[outcome.index], outcome)
                    text = replace_surrogates(json.dumps(line, ensure_ascii=False))
                    print(text, file=out, flush=True)
                    failed += outcome.error is not None
                    progress.update(bar, advance=1, failed=f"{failed} failed" if failed else "")
        return failed

    if anyio.run(main):
        raise typer.Exit(1)


def _read_tasks(text: str) -> Iterator[str]:
    """Yield the tasks of a file; empty lines are skipped."""
    # Only these end a line of JSON Lines; texts may contain other line separators of Unicode.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.startswith('"'):
            if line.strip():
                yield line.strip()
            continue
        try:
            yield replace_surrogates(str(json.loads(line)))
        except ValueError as error:
            raise BadParameter(f"line {number} is not a JSON string: {error}") from error


def _decode(data: bytes, name: str) -> str:
    """Return the text of a file, which may begin with a byte order mark."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BadParameter(f"line {line} of {name} is not UTF-8 text") from error


def _finished_tasks(results: Path, tasks: list[str]) -> set[int]:
    """Return the indices of the tasks that an earlier call has finished.

    Raises BadParameter if the file has results of other tasks.
    """
    finished: set[int] = set()
    if not results.exists():
        return finished
    text = _decode(results.read_bytes(), str(results))
    for number, line in enumerate(text.split("\n"), start=1):
        if not line:
            continue
        try:
            result: dict[str, Any] = json.loads(line)
            index = int(result["index"])
            is_same = tasks[index] == result["task"]
        except (ValueError, TypeError, LookupError):
            is_same, result, index = False, {}, -1
        if not is_same:
            raise BadParameter(
                f"line {number} of {results} is not a result of these tasks; name another file for "
                "the results, or remove this one"
            )
        if result.get("error") is None:
            finished.add(index)
    return finished


def _result_line(index: int, outcome: Outcome[str]) -> dict[str, Any]:
    """Return the JSON of a task's result."""
    line: dict[str, Any] = {"index": index, "task": outcome.task}
    if outcome.result is None:
        error = outcome.error
        facts = RunFacts.of(error) if error else None
        run_id = facts.run_id if facts else ""
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

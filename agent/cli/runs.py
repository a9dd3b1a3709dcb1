"""`ossia runs`: lists the runs in the journal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import anyio
import typer
from pydantic import TypeAdapter
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..journal import RunSummary, SQLiteJournal
from . import options
from .sanitize import sanitize

_STYLES = {"answered": "green", "failed": "red", "unfinished": "yellow"}
_summaries = TypeAdapter(list[RunSummary])


def runs(
    *,
    journal: options.JournalFile = None,
    number: Annotated[
        int, typer.Option("--number", "-n", min=1, help="Maximum number of runs to list.")
    ] = 20,
    json: Annotated[bool, typer.Option("--json", help="Print the runs as JSON.")] = False,
) -> None:
    """List the runs in the journal, newest first. `ossia resume RUN` continues a run."""
    newest = anyio.run(SQLiteJournal(journal).runs)[:number]
    if json:
        print(_summaries.dump_json(newest, indent=2).decode())  # noqa: T201 - the command's output
    else:
        Console(highlight=False).print(_table(newest))


def _table(summaries: Sequence[RunSummary]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("run", "started", "status"):
        table.add_column(name, no_wrap=True)
    table.add_column("steps", justify="right")
    table.add_column("seconds", justify="right")
    table.add_column("task", no_wrap=True, overflow="ellipsis")
    for summary in summaries:
        table.add_row(
            summary.run_id,
            f"{summary.started_at.astimezone():%Y-%m-%d %H:%M}",
            Text(summary.status, style=_STYLES[summary.status]),
            str(summary.steps),
            f"{summary.seconds:.1f}",
            Text(sanitize(" ".join(summary.task.split()))),
        )
    return table

"""`ossia runs`: what is in the journal."""

from __future__ import annotations

from typing import Annotated

import anyio
import typer
from pydantic import TypeAdapter
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..journal import RunSummary, SQLiteJournal
from . import options
from .sanitize import plain

_STYLES = {"answered": "green", "failed": "red", "unfinished": "yellow"}
_summaries = TypeAdapter(list[RunSummary])


def runs(
    *,
    journal: options.JournalFile = None,
    number: Annotated[int, typer.Option("--number", "-n", min=1, help="The latest so many.")] = 20,
    json: Annotated[bool, typer.Option("--json", help="Print them as JSON.")] = False,
) -> None:
    """List the runs of the journal, the latest first. `ossia resume RUN` goes on with one."""
    listed = anyio.run(SQLiteJournal(journal).runs)[:number]
    if json:
        print(_summaries.dump_json(listed, indent=2).decode())  # noqa: T201 - the very output
        return
    table = Table(box=None, pad_edge=False)
    for name in ("run", "began", "status"):
        table.add_column(name, no_wrap=True)
    table.add_column("steps", justify="right")
    table.add_column("seconds", justify="right")
    table.add_column("task", no_wrap=True, overflow="ellipsis")
    for one in listed:
        table.add_row(
            one.run_id,
            f"{one.started_at.astimezone():%Y-%m-%d %H:%M}",
            Text(one.status, style=_STYLES[one.status]),
            str(one.steps),
            f"{one.seconds:.1f}",
            Text(plain(" ".join(one.task.split()))),
        )
    Console(highlight=False).print(table)

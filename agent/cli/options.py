"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

DEFAULT_URL = "http://127.0.0.1:8000"

Engine = Annotated[str, typer.Option(help="URL of the vLLM server.", envvar="OSSIA_ENGINE")]
Model = Annotated[
    str | None, typer.Option(help="Name of the model; by default, the first that the server lists.")
]
Serve = Annotated[
    str | None, typer.Option(help="Start a vLLM server for this model, and stop it afterwards.")
]
Tools = Annotated[
    list[str] | None,
    typer.Option(
        "--tool", "-t", help="A tool: python, browser, module:function, or file.py:function."
    ),
]
Instructions = Annotated[
    str | None, typer.Option("--instructions", "-i", help="Instructions for the model.")
]
Reasoning = Annotated[
    Literal["low", "medium", "high"], typer.Option(help="Reasoning effort of the model.")
]
Temperature = Annotated[
    float,
    typer.Option(
        min=0.0, max=2.0, help="Sampling temperature; 0 always takes the most likely token."
    ),
]
Seed = Annotated[int | None, typer.Option(help="Sampling seed, for repeatable runs.")]
MaxSteps = Annotated[int | None, typer.Option(min=1, help="Maximum number of steps in a run.")]
MaxSeconds = Annotated[
    float | None, typer.Option(min=0.0, help="Maximum duration of a run, in seconds.")
]
ApiKey = Annotated[
    str | None,
    typer.Option(envvar="OSSIA_API_KEY", show_envvar=True, help="API key for the server."),
]
JournalFile = Annotated[
    Path | None,
    typer.Option(
        "--journal",
        envvar="OSSIA_JOURNAL",
        help="The journal file, which records the runs.",
        show_default="journal.db in the user's state folder",
    ),
]

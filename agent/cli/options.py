"""Options that several commands take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

DEFAULT_URL = "http://127.0.0.1:8000"

Engine = Annotated[str, typer.Option(help="The vLLM server.", envvar="OSSIA_ENGINE")]
Model = Annotated[str | None, typer.Option(help="Its model; the first it lists.")]
Serve = Annotated[
    str | None, typer.Option(help="Start a server for this model, and stop it afterwards.")
]
Tools = Annotated[
    list[str] | None,
    typer.Option("--tool", "-t", help="python, browser, module:function, or file.py:function."),
]
Instructions = Annotated[
    str | None, typer.Option("--instructions", "-i", help="What the model is to be and do.")
]
Reasoning = Annotated[
    Literal["low", "medium", "high"], typer.Option(help="How hard the model thinks.")
]
Temperature = Annotated[
    float, typer.Option(min=0.0, max=2.0, help="0 takes the likeliest token, always.")
]
Seed = Annotated[int | None, typer.Option(help="The same one samples the same again.")]
MaxSteps = Annotated[int | None, typer.Option(min=1, help="Turns of the model.")]
MaxSeconds = Annotated[float | None, typer.Option(min=0.0, help="Of a whole run.")]
ApiKey = Annotated[
    str | None, typer.Option(envvar="OSSIA_API_KEY", show_envvar=True, help="For the server.")
]
JournalFile = Annotated[
    Path | None,
    typer.Option(
        "--journal",
        envvar="OSSIA_JOURNAL",
        help="Where runs are written down.",
        show_default="journal.db in the user's state folder",
    ),
]

"""`ossia sandbox`: the image that sandboxes start from."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Literal

import anyio
import typer
from rich.console import Console

from ...sandbox import build_image, build_tree

app = typer.Typer(help="The image that sandboxes start from.", no_args_is_help=True)


@app.callback()
def commands() -> None:
    """The image that sandboxes start from."""


@app.command()
def build(
    *,
    recipe: Annotated[
        Literal["auto", "debian", "dockerfile"],
        typer.Option(help="debian needs no image registry; auto takes what works here."),
    ] = "auto",
    tree: Annotated[
        bool, typer.Option("--tree", help="Without Docker: the system that bubblewrap shows.")
    ] = False,
) -> None:
    """Make the image, unless it is there; its tag follows its recipe."""
    console = Console(stderr=True, highlight=False)
    tell = partial(console.print, style="dim", markup=False)
    make = partial(build_tree, tell) if tree else partial(build_image, tell, recipe=recipe)
    made = anyio.run(make)
    Console(highlight=False).print(made, markup=False)

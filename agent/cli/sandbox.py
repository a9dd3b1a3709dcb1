"""`ossia sandbox`: the image that sandboxes start from, and what nobody needs any more."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Literal

import anyio
import typer
from rich.console import Console

from ...sandbox import build_image, build_tree, prune_images
from ...sandbox import prune as prune_abandoned

app = typer.Typer(help="Make the sandboxes' image, remove what is left.", no_args_is_help=True)


@app.callback()
def commands() -> None:
    """Make the sandboxes' image, remove what is left."""


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


@app.command()
def prune() -> None:
    """Remove what killed owners left, and images of other versions that are older than a day."""
    removed = anyio.run(prune_abandoned) + anyio.run(prune_images)
    console = Console(highlight=False)
    for name in removed:
        console.print(name, markup=False)
    console.print(f"{len(removed)} removed", style="dim")

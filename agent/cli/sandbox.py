"""`ossia sandbox`: builds the image that sandboxes start from, and removes what is left over."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Literal

import anyio
import typer
from rich.console import Console

from ...sandbox import build_image, build_tree, prune_images
from ...sandbox import prune as prune_abandoned

app = typer.Typer(
    help="Build the sandbox image, and remove leftover sandboxes and images.",
    no_args_is_help=True,
)


@app.callback()
def commands() -> None:
    """Build the sandbox image, and remove leftover sandboxes and images."""


@app.command()
def build(
    *,
    recipe: Annotated[
        Literal["auto", "debian", "dockerfile"],
        typer.Option(
            help="debian needs no image registry; auto chooses a recipe that works on this machine."
        ),
    ] = "auto",
    tree: Annotated[
        bool,
        typer.Option(
            "--tree", help="Build the file system for bubblewrap sandboxes; needs no Docker."
        ),
    ] = False,
) -> None:
    """Build the image and print its tag. An existing image of the same recipe is reused."""
    console = Console(stderr=True, highlight=False)
    show_progress = partial(console.print, style="dim", markup=False)
    if tree:
        name = anyio.run(build_tree, show_progress)
    else:
        name = anyio.run(partial(build_image, show_progress, recipe=recipe))
    Console(highlight=False).print(name, markup=False)


@app.command()
def prune() -> None:
    """Remove the sandboxes of killed programs, and old images.

    Images of other ossia versions are removed if they are more than a day old.
    """
    removed = anyio.run(prune_abandoned) + anyio.run(prune_images)
    console = Console(highlight=False)
    for name in removed:
        console.print(name, markup=False)
    console.print(f"{len(removed)} removed", style="dim")

"""The `ossia` program: its commands, its logging and its errors."""

from __future__ import annotations

import logging
import sys
from typing import Annotated

import typer
from rich.console import Console

from ...errors import OssiaError
from . import batch, chat, doctor, engine, render, run, runs, sandbox

app = typer.Typer(
    help="Agents on OpenAI's open-weight gpt-oss models, local and private.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("run")(run.run)
app.command("chat")(chat.chat)
app.command("batch")(batch.batch)
app.command("runs")(runs.runs)
app.command("resume")(run.resume)
app.command("engine")(engine.engine)
app.command("doctor")(doctor.doctor)
app.command("render")(render.render)
app.add_typer(sandbox.app, name="sandbox")


@app.callback()
def configure(
    *,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Log what happens, on standard error.")
    ] = False,
) -> None:
    """Agents on OpenAI's open-weight gpt-oss models, local and private."""
    level = logging.INFO if verbose else logging.ERROR
    logging.basicConfig(format="%(levelname)-7s %(name)s  %(message)s", level=logging.WARNING)
    logging.getLogger("ossia").setLevel(level)


def main() -> None:
    """Run the `ossia` program.

    An error that the user can fix is one message; anything else is a traceback.
    """
    try:
        app()
    except OssiaError as error:
        Console(stderr=True).print(f"{type(error).__name__}: {error}", style="red", markup=False)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)

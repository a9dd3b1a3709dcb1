"""`ossia engine`: runs a vLLM server in the foreground."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Annotated

import anyio
import typer
from rich.console import Console

from ..engines.vllm import Server, default_model, open_server, require_checkpoint


def engine(
    model: Annotated[
        str | None,
        typer.Argument(
            help="A folder with a gpt-oss model, or a model name. The default is gpt-oss-20b with "
            "a GPU, and the tiny model without one."
        ),
    ] = None,
    *,
    port: Annotated[
        int, typer.Option(help="The loopback port to listen on; 0 chooses a free one.")
    ] = 8000,
    option: Annotated[
        list[str] | None,
        typer.Option(help="An option for vLLM's server, such as --max-model-len=8192."),
    ] = None,
) -> None:
    """Serve a model with vLLM on this machine, until you press Ctrl-C."""

    async def serve() -> None:
        name = model or default_model()
        async with open_with_progress(name, port=port or None, options=option or ()) as server:
            Console().print(f"Serving {server.model} at {server.url}. Press Ctrl-C to stop.")
            await server.watch()

    anyio.run(serve)


@asynccontextmanager
async def open_with_progress(
    model: str, *, port: int | None = None, options: Sequence[str] = ()
) -> AsyncGenerator[Server]:
    """Open a server as `open_server` does, and show on the terminal that it is starting."""
    console = Console(stderr=True, highlight=False)
    status = f"Starting vLLM for {Path(model).name} (about a minute on a CPU)"
    if not console.is_terminal:
        console.print(f"{status} …", style="dim")
    started = anyio.current_time()
    async with AsyncExitStack() as stack:
        with console.status(status):
            opening = open_server(require_checkpoint(model), port=port, options=options)
            server = await stack.enter_async_context(opening)
        seconds = anyio.current_time() - started
        console.print(f"Started vLLM for {server.model} in {seconds:.0f} s", style="dim")
        yield server

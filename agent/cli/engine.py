"""`ossia engine`: a vLLM server in the foreground."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Annotated

import anyio
import typer
from rich.console import Console

from ..engines.vllm import Server, checked, default_model, open_server


def engine(
    model: Annotated[
        str | None,
        typer.Argument(
            help="A folder with a gpt-oss model, or its name; without one gpt-oss-20b where there "
            "is a GPU, else the tiny model."
        ),
    ] = None,
    *,
    port: Annotated[
        int, typer.Option(help="Where to listen, on loopback; 0 takes a free port.")
    ] = 8000,
    option: Annotated[
        list[str] | None, typer.Option(help="Handed to vLLM's server, such as --max-model-len=8192")
    ] = None,
) -> None:
    """Serve a model with vLLM on this machine, until Ctrl-C."""

    async def work() -> None:
        chosen = model or default_model()
        async with open_with_progress(chosen, port=port or None, options=option or ()) as server:
            Console().print(f"serving {server.model} at {server.url}; Ctrl-C ends it")
            await server.watch()

    anyio.run(work)


@asynccontextmanager
async def open_with_progress(
    model: str, *, port: int | None = None, options: Sequence[str] = ()
) -> AsyncGenerator[Server]:
    """`open_server`, with a word on the terminal about what takes so long."""
    console = Console(stderr=True, highlight=False)
    doing = f"starting vLLM for {Path(model).name}; about a minute on a CPU"
    if not console.is_terminal:
        console.print(f"{doing} …", style="dim")
    began = anyio.current_time()
    async with AsyncExitStack() as stack:
        with console.status(doing):
            opened = open_server(checked(model), port=port, options=options)
            server = await stack.enter_async_context(opened)
        seconds = anyio.current_time() - began
        console.print(f"vLLM serves {server.model} after {seconds:.0f} s", style="dim")
        yield server

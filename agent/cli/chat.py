"""`ossia chat`: a conversation on the terminal."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing

import anyio
from anyio import to_thread
from rich.console import Console

from ...errors import OssiaError
from ..journal import SQLiteJournal
from ..run import Chat
from . import options
from .agent_options import Setup, takes_setup
from .display import Display


@takes_setup("seed", "max_steps", "max_seconds")
def chat(
    *,
    setup: Setup,
    api_key: options.ApiKey = None,
    journal: options.JournalFile = None,
) -> None:
    """Talk to the model, line by line; tools keep their state. An empty line ends it."""

    async def work() -> None:
        async with (
            setup.open(SQLiteJournal(journal), api_key=api_key) as agent,
            agent.chat() as talk,
        ):
            await _converse(talk, Console(highlight=False))

    anyio.run(work)


async def _converse(talk: Chat[str], console: Console) -> None:
    """Answer line after line. What goes wrong with one is said, and the next may go better."""
    display = Display(console)
    async for line in _lines(console):
        try:
            async with aclosing(talk.stream(line)) as events:
                async for event in events:
                    display.show(event)
        except OssiaError as error:
            console.print(f"{type(error).__name__}: {error}", style="red", markup=False)


async def _lines(console: Console) -> AsyncGenerator[str]:
    """What the user types, until an empty line or the end of the input."""
    while True:
        if console.is_terminal:
            console.print("› ", end="", style="bold")
        # A thread that reads cannot be ended: it is left behind when the program is.
        line = await to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True)
        if not line.strip():
            return
        yield line.strip()

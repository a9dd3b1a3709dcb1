"""`ossia chat`: a conversation on the terminal."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator

import anyio
from rich.console import Console

from ...errors import OssiaError
from ..journal import SQLiteJournal
from ..run import Chat
from . import options
from .agent_options import AgentOptions, with_agent_options
from .display import ConsoleDisplay, UsageLine


@with_agent_options("seed", "max_steps", "max_seconds")
def chat(
    *,
    agent_options: AgentOptions,
    api_key: options.ApiKey = None,
    journal: options.JournalFile = None,
) -> None:
    """Talk to the model line by line; tools keep their state. An empty line ends the chat."""
    console = Console(highlight=False)
    hooks = [ConsoleDisplay(console), UsageLine(console)]

    async def main() -> None:
        opened = agent_options.open(SQLiteJournal(journal), api_key=api_key, hooks=hooks)
        async with opened as agent, agent.chat() as conversation:
            await _converse(conversation, console)

    anyio.run(main)


async def _converse(conversation: Chat[str], console: Console) -> None:
    """Send line after line. An error is shown, and the next line may work."""
    async for line in _read_lines(console):
        try:
            await conversation.say(line)
        except OssiaError as error:
            console.print(f"{type(error).__name__}: {error}", style="red", markup=False)


async def _read_lines(console: Console) -> AsyncGenerator[str]:
    """Yield what the user types, until an empty line or the end of the input."""
    while True:
        if console.is_terminal:
            console.print("› ", end="", style="bold")
        # A thread that reads cannot be stopped; it ends with the program.
        line = await anyio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True)
        if not line.strip():
            return
        yield line.strip()

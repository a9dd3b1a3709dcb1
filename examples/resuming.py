"""Resuming: a script that you can kill at any time and start again. It continues where it stopped.

    ossia engine MODEL                      # in another terminal
    python examples/resuming.py             # kill it, and start it again

Each turn and each tool result is in the journal before the run continues, so no work is repeated.
Only a tool call that was running is made again, if its tool is marked as `idempotent`.
"""

from __future__ import annotations

import sys
from functools import partial

import anyio

from ossia.agent import Agent, SQLiteJournal, VLLMEngine
from ossia.tools import tool


@tool(idempotent=True)
def read_meter(house: int) -> int:
    """Read the electricity meter of a house.

    Args:
        house: The house number.
    """
    return 1000 + 7 * house


async def main(url: str = "http://127.0.0.1:8000", journal_path: str = "journal.db") -> None:
    """Start the run, or continue it if the journal has a run of this id."""
    async with VLLMEngine(url) as engine, SQLiteJournal(journal_path) as journal:
        agent = Agent(engine, tools=[read_meter], journal=journal)
        task = "Which of the houses 1 to 3 used the most electricity?"
        result = await agent.run(task, run_id="meter-readings")
    print(f"{result.output}  ({result.usage.steps} steps, {result.usage.tool_calls} tool calls)")


if __name__ == "__main__":
    anyio.run(partial(main, *sys.argv[1:]))

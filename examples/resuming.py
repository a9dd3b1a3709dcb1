"""Resuming: a script that may be killed at any moment. Started again, it goes on where it was.

    ossia engine MODEL                      # in another terminal
    python examples/resuming.py             # kill it as you like, and start it again

Every turn of the model and every answer of a tool is in the journal before the next step. What was
answered is not asked again; a call that was under way is made again only if its tool is idempotent.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import anyio
import structlog

from ossia.agent import Agent, SQLiteJournal, VLLMEngine
from ossia.tools import tool


@tool(idempotent=True)
def read_meter(house: int) -> int:
    """Read a house's electricity meter.

    Args:
        house: Its number.
    """
    return 1000 + 7 * house


async def work(url: str, path: Path, task: str = "Which of the houses 1 to 3 used most?") -> None:
    """Go on with the run that was left unfinished, or begin one."""
    journal = SQLiteJournal(path)
    async with VLLMEngine(url) as engine, journal:
        agent = Agent(engine, tools=[read_meter], journal=journal)
        left = [run for run in await journal.runs() if run.status != "answered"]
        if left:
            print(f"going on with {left[0].run_id} after {left[0].steps} steps", flush=True)
            result = await agent.resume(left[0].run_id)
        else:
            print("beginning", flush=True)
            result = await agent.run(task)
    print(f"{result.output}  ({result.usage.steps} steps, {result.usage.tool_calls} calls)")


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    where = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000"
    kept = Path(sys.argv[2] if len(sys.argv) > 2 else "journal.db")
    anyio.run(work, where, kept)

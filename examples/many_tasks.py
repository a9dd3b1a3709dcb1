"""Many tasks at once: a hundred runs, sixteen at a time, and a line of JSON for each.

    ossia engine MODEL                      # in another terminal
    python examples/many_tasks.py

The server batches the turns of concurrent runs. Outcomes arrive as the runs finish, not in the
order of the tasks. A run that fails has an error in its outcome and does not affect the others.
"""

from __future__ import annotations

import json
import sys
from functools import partial

import anyio

from ossia.agent import Agent, Limits, VLLMEngine

TASKS = [f"Compute {number} + {7 * number}." for number in range(100)]


async def main(url: str = "http://127.0.0.1:8000") -> None:
    """Run all tasks, and print each outcome as it arrives."""
    async with VLLMEngine(url) as engine:
        agent = Agent(engine, reasoning="low", limits=Limits(steps=4, seconds=300))
        async with agent.run_many(TASKS, concurrency=16) as outcomes:
            async for outcome in outcomes:
                line: dict[str, object] = {"task": outcome.task}
                if outcome.error:
                    line["error"] = str(outcome.error)
                else:
                    line["output"] = outcome.output
                print(json.dumps(line), flush=True)


if __name__ == "__main__":
    anyio.run(partial(main, *sys.argv[1:]))

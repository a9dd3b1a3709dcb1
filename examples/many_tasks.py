"""Many tasks at once: a thousand questions, sixty-four at a time, each outcome a line of JSON.

    ossia engine MODEL                      # in another terminal
    python examples/many_tasks.py

The server batches what runs side by side. Outcomes come as they finish; one that fails is a line
like the others.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterable

import anyio
import structlog

from ossia.agent import Agent, Limits, VLLMEngine


async def work(url: str, tasks: Iterable[str]) -> int:
    """Put all tasks to the model at `url`; returns how many were answered."""
    answered = 0
    async with VLLMEngine(url) as engine:
        agent = Agent(engine, reasoning="low", limits=Limits(steps=4, seconds=300))
        async with agent.run_many(tasks, concurrency=64) as outcomes:
            async for outcome in outcomes:
                answered += outcome.error is None
                said = {"error": str(outcome.error)} if outcome.error else outcome.output
                print(json.dumps({"task": outcome.index, "said": said}), flush=True)
    return answered


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    where = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000"
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    anyio.run(work, where, (f"Compute {number} + {7 * number}." for number in range(count)))

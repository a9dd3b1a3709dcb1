"""An autonomous script: a list of tasks, worked on one after the other, nobody watching.

    ossia engine MODEL                      # in another terminal
    python examples/autonomous_script.py

Each run has a sandbox of its own, may take so many steps and seconds, and may fail without harm to
the next.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence

import anyio
import structlog

from ossia.agent import Agent, Limits, VLLMEngine
from ossia.errors import RunError
from ossia.tools import PythonTool

TASKS = ("What is 417 * 38?", "What is 7391 * 46?", "Compute 86 - 907.")


async def work(url: str, tasks: Sequence[str] = TASKS) -> int:
    """Work on the tasks with the model at `url`; returns how many were answered."""
    answered = 0
    async with VLLMEngine(url) as engine:
        agent = Agent(engine, tools=[PythonTool()], limits=Limits(steps=8, seconds=120))
        for task in tasks:
            try:
                result = await agent.run(task)
            except RunError as error:
                print(f"✗ {task}  {error}")
                continue
            answered += 1
            usage = result.usage
            print(f"✓ {result.output}  ({usage.steps} steps, {usage.tool_calls} calls)")
    return answered


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    anyio.run(work, sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000")

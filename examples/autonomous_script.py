"""An autonomous script: it works through a list of tasks without supervision.

    ossia engine MODEL                      # in another terminal
    python examples/autonomous_script.py

Each task gets its own run, with its own sandbox and limits. If a run fails, the script prints the
error and continues with the next task.
"""

from __future__ import annotations

import sys
from functools import partial

import anyio

from ossia.agent import Agent, Limits, VLLMEngine
from ossia.errors import OssiaError
from ossia.tools import PythonTool

TASKS = ["What is 417 * 38?", "What is 7391 * 46?", "Compute 86 - 907."]


async def main(url: str = "http://127.0.0.1:8000") -> None:
    """Work through the tasks, and print one line for each."""
    async with VLLMEngine(url) as engine:
        agent = Agent(engine, tools=[PythonTool()], limits=Limits(steps=8, seconds=120))
        for task in TASKS:
            try:
                result = await agent.run(task)
            except OssiaError as error:
                print(f"✗ {task}  {error}")
            else:
                print(f"✓ {task}  {result.output}  ({result.usage.steps} steps)")


if __name__ == "__main__":
    anyio.run(partial(main, *sys.argv[1:]))

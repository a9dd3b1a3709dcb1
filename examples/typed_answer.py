"""A typed answer: the model computes with Python, and answers as an object of a class of yours.

    ossia engine MODEL                      # in another terminal
    python examples/typed_answer.py

The class's schema stands in the prompt, and the grammar of the turn admits nothing else as the
answer; what it cannot express is validated, and an answer that fails goes back with the reason.
"""

from __future__ import annotations

import logging
import sys

import anyio
import structlog
from pydantic import BaseModel

from ossia.agent import Agent, VLLMEngine
from ossia.tools import PythonTool


class Calculation(BaseModel):
    """An expression and its value."""

    expression: str
    result: float


async def compute(url: str, task: str = "What is 417 * 38?") -> Calculation:
    """Put a task to the model at `url`, and take its answer as a Calculation."""
    async with VLLMEngine(url) as engine:
        agent = Agent(engine, tools=[PythonTool()], output_type=Calculation)
        result = await agent.run(task)
    return result.output


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    answer = anyio.run(compute, sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000")
    print(f"{answer.expression} is {answer.result:g}")

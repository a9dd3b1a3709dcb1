"""A typed output: the model computes with Python, and the result is an object of your class.

    ossia engine MODEL                      # in another terminal
    python examples/typed_output.py

The prompt has the schema of the class, and a grammar lets the model write only answers that match
it. Pydantic then validates the answer. If it is invalid, the model reads why and tries again.
"""

from __future__ import annotations

import sys
from functools import partial

import anyio
from pydantic import BaseModel

from ossia.agent import Agent, VLLMEngine
from ossia.tools import PythonTool


class Calculation(BaseModel):
    """An expression and its value."""

    expression: str
    result: float


async def main(url: str = "http://127.0.0.1:8000") -> None:
    """Ask for a calculation, and print its fields."""
    async with VLLMEngine(url) as engine:
        agent = Agent(engine, tools=[PythonTool()], output_type=Calculation)
        result = await agent.run("What is 417 * 38?")
    calculation = result.output
    print(f"{calculation.expression} is {calculation.result:g}")


if __name__ == "__main__":
    anyio.run(partial(main, *sys.argv[1:]))

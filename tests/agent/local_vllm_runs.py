"""A program for the engine's interpreter: whole turns of a model that vLLM loads in process.

Writes what came of them to standard output, as JSON; vLLM writes its log there too, so that the
last line counts.
"""

from __future__ import annotations

import json
import sys
from contextlib import aclosing
from typing import Any

# What the engine's environment lacks comes from the one that runs the tests, and comes last.
sys.path += sys.argv[2:]

import anyio

from ossia.agent import Agent, LocalVLLM, Sampling
from ossia.errors import ContextLengthError
from ossia.harmony import Message, Transcript
from ossia.harmony.constrain import turn_grammar

GREEDY = Sampling(temperature=0.0)


def get_weather(city: str) -> dict[str, object]:
    """Get the weather."""
    return {"temperature": 21, "sky": "clear"} if city == "Paris" else {}


async def cached(engine: LocalVLLM) -> int | None:
    """How much of a prompt of 300 tokens the prefix cache serves."""
    one = Sampling(temperature=0.0, max_tokens=1)
    async with aclosing(engine.generate(range(1000, 1300), one)) as pieces:
        return [piece.cached_tokens async for piece in pieces][-1]


async def main() -> None:
    said: dict[str, Any] = {}
    async with LocalVLLM(sys.argv[1], enforce_eager=True, max_model_len=8192) as engine:
        said["obeys"] = await engine.obeys_grammars()
        agent = Agent(engine, tools=[get_weather], sampling=GREEDY)
        result = await agent.run("What is the weather in Paris?")
        said["output"] = result.output
        said["cached"] = [await cached(engine) for _ in range(2)]
        prompt = Transcript([Message("user", "Hi")]).prompt()
        cut = Sampling(temperature=0.0, max_tokens=3, grammar=turn_grammar())
        async with aclosing(engine.generate(prompt, cut)) as pieces:
            sampled = [piece async for piece in pieces]
        said["cut"] = [sum(len(piece.tokens) for piece in sampled), sampled[-1].finish]
        async with aclosing(engine.generate(prompt, GREEDY)) as pieces:
            said["left early"] = len((await anext(pieces)).tokens)
        try:
            await agent.run("Hi " * 9000)
        except ContextLengthError as error:
            said["window"] = error.window
    print(json.dumps(said))  # noqa: T201 - what the test reads


if __name__ == "__main__":
    anyio.run(main)

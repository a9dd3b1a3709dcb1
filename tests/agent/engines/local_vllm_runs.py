"""A program for the engine's interpreter that runs a model which vLLM loads in process.

It prints the observed facts as JSON in the last line of standard output. vLLM's log comes before.
"""

from __future__ import annotations

import json
import sys
from contextlib import aclosing
from typing import Any

# Packages that the engine's environment lacks come from the test environment, with low priority.
sys.path += sys.argv[2:]

import anyio

from ossia.agent import Agent, LocalVLLM, Sampling, TurnRequest
from ossia.errors import ContextLengthError
from ossia.harmony import Message, Transcript
from ossia.harmony.constrain import turn_grammar

GREEDY = Sampling(temperature=0.0)


def get_weather(city: str) -> dict[str, object]:
    """Get the weather."""
    return {"temperature": 21, "sky": "clear"} if city == "Paris" else {}


async def cached_tokens(engine: LocalVLLM) -> int | None:
    """Return how many tokens of a 300-token prompt the prefix cache serves."""
    one_token = Sampling(temperature=0.0, max_tokens=1)
    request = TurnRequest(prompt=range(1000, 1300), sampling=one_token)
    async with aclosing(engine.generate(request)) as pieces:
        return [piece.cached_tokens async for piece in pieces][-1]


async def main() -> None:
    facts: dict[str, Any] = {}
    async with LocalVLLM(sys.argv[1], enforce_eager=True, max_model_len=8192) as engine:
        facts["obeys_grammars"] = await engine.obeys_grammars()
        agent = Agent(engine, tools=[get_weather], sampling=GREEDY)
        result = await agent.run("What is the weather in Paris?")
        facts["output"] = result.output
        facts["cached"] = [await cached_tokens(engine) for _ in range(2)]
        prompt = Transcript([Message("user", "Hi")]).prompt()
        three_tokens = Sampling(temperature=0.0, max_tokens=3)
        limited = TurnRequest(prompt=prompt, sampling=three_tokens, grammar=turn_grammar())
        async with aclosing(engine.generate(limited)) as pieces:
            sampled = [piece async for piece in pieces]
        facts["limited"] = [sum(len(piece.tokens) for piece in sampled), sampled[-1].finish]
        async with aclosing(engine.generate(TurnRequest(prompt=prompt, sampling=GREEDY))) as pieces:
            facts["stopped_early"] = len((await anext(pieces)).tokens)
        try:
            await agent.run("Hi " * 9000)
        except ContextLengthError as error:
            facts["window"] = error.window
    print(json.dumps(facts))  # noqa: T201 - the test reads it


if __name__ == "__main__":
    anyio.run(main)

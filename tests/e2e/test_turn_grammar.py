"""The grammar of a turn on a real server, with a model that does not know what it is doing.

It is asked in words that it has never seen, at the highest temperature that a server takes: what
comes out is well-formed because of the grammar.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import aclosing
from random import Random
from typing import Any, Literal

import anyio
import pytest
from pydantic import BaseModel, TypeAdapter

from ossia.agent import Sampling, Server, VLLMEngine
from ossia.harmony import Ended, Message, StreamParser, Transcript, decode, special, turn_grammar
from ossia.tools import Toolbox

# The first test of a session also starts the server.
pytestmark = [pytest.mark.vllm, pytest.mark.timeout(300)]

WILD = 2.0
BUDGET = 16
TURNS = 24


class Answer(BaseModel):
    """An answer that is mostly decided by its type."""

    verdict: Literal["yes", "no"]
    certainty: Literal[1, 2, 3]
    reasons: tuple[bool, bool]


def pick(colour: Literal["red", "green"], count: Literal[1, 2], *, sure: bool = False) -> str:
    """Pick some."""
    return f"{count} {colour} {sure}"


def stop() -> None:
    """Stop."""


async def test_no_turn_is_malformed_however_wild_the_model(tiny_server: Server) -> None:
    toolbox = Toolbox([pick, stop])
    grammars = [
        turn_grammar(
            functions=toolbox.functions,
            output_schema=TypeAdapter(Answer).json_schema(),
            reasoning_budget=BUDGET,
            tool_choice=choice,
        )
        for choice in ("none", "functions.pick", "functions.stop")
    ]
    engine = VLLMEngine(tiny_server.url)
    turns: list[list[int]] = []

    async def sample(seed: int) -> None:
        prompt = Transcript([Message("user", babble(seed))]).prompt()
        sampling = Sampling(temperature=WILD, seed=seed, max_tokens=200, grammar=grammars[seed % 3])
        async with aclosing(engine.generate(prompt, sampling)) as pieces:
            turns.append([token async for piece in pieces for token in piece.tokens])

    assert await engine.obeys_grammars()
    async with engine, anyio.create_task_group() as group:
        for seed in range(TURNS):
            group.start_soon(sample, seed)
    said = [check(tokens, toolbox) for tokens in turns]
    assert set(said) - {"cut"} == {"functions.pick", "functions.stop", "final"}
    assert len(said) == TURNS


def babble(seed: int) -> str:
    return decode(Random(seed).choices(range(special.FIRST), k=20))


def check(tokens: Sequence[int], toolbox: Toolbox) -> str:
    """Hold one turn to everything that was promised; returns what it ended in."""
    parser = StreamParser(strict=True)
    events = parser.feed(tokens)
    begun = 0
    for event in events:
        if isinstance(event, Ended):
            if event.message.channel == "analysis":
                assert event.at - begun <= BUDGET + 7, "reasoning beyond its budget"
            begun = event.at + 1
    if parser.messages and is_last(parser.messages[-1]):
        return judge(parser.messages[-1], toolbox)
    # Free text that never came to its end: the only thing that may be cut.
    assert len(tokens) == 200
    return "cut"


def is_last(message: Message) -> bool:
    return message.recipient is not None or message.channel == "final"


def judge(message: Message, toolbox: Toolbox) -> str:
    if message.recipient is None:
        Answer.model_validate_json(message.text)
        return "final"
    described = {f"functions.{tool.name}": tool for tool in toolbox.functions}
    assert message.recipient in described
    arguments: dict[str, Any] = json.loads(message.text)
    parameters = described[message.recipient].parameters or {"properties": {}}
    assert set(arguments) <= set(parameters["properties"])
    assert set(arguments) >= set(parameters.get("required", ()))
    return message.recipient

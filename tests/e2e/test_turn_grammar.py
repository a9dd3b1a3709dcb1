"""The grammar of a turn on a real server, with a model that says anything at all.

Its weights are random, so that what comes out well-formed is so because of the grammar.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from itertools import count
from random import Random
from typing import Annotated, Any, Literal

import anyio
import pytest
from pydantic import BaseModel, Field, TypeAdapter, create_model

from ossia.agent import Sampling, Server, VLLMEngine
from ossia.harmony import Message, StreamParser, ToolDescription, Transcript, decode
from ossia.harmony.constrain import turn_grammar
from ossia.harmony.format import special

# The first test of a session also starts the server.
pytestmark = [pytest.mark.vllm, pytest.mark.timeout(600)]

MAX_TOKENS = 250
AT_ONCE = 32
BUDGETS = (None, 0, 3, 10)

Kind = Any
"""A type as a value; no type checker follows those that are made while the tests run."""
_annotated: Any = Annotated
_literal: Any = Literal
_list: Any = list
_tuple: Any = tuple


def kind_of(rng: Random, depth: int = 0) -> Kind:
    """A type as users write them, by chance."""
    low = rng.randint(-100, 100)
    words = tuple(f"word {rng.randint(0, 99)}" for _ in range(rng.randint(1, 4)))
    simple: list[Kind] = [
        bool,
        _annotated[int, Field(ge=low, le=low + rng.randint(0, 5000))],
        _annotated[float, Field(ge=0, le=rng.randint(1, 1000))],
        str,
        _literal[words],
    ]
    if depth > 1 or rng.random() < 0.6:
        return rng.choice([*simple, rng.choice(simple) | None])
    inner, other = kind_of(rng, depth + 1), kind_of(rng, depth + 1)
    held = model_of(rng, f"Inner{rng.randint(0, 10**6)}", depth + 1)
    most = Field(max_length=rng.randint(0, 2))
    return rng.choice([_annotated[_list[inner], most], _tuple[inner, other], held, held | inner])


def model_of(rng: Random, name: str, depth: int = 0) -> type[BaseModel]:
    fields: dict[str, Any] = {}
    for at in range(rng.randint(0, 3)):
        kind = kind_of(rng, depth)
        wanted = (kind, ...) if rng.random() < 0.7 else (kind | None, None)
        fields[f"{rng.choice(('size', 'käse', 'x_y'))}_{at}"] = wanted
    return create_model(name, **fields)


@dataclass(frozen=True)
class Setting:
    """What a turn is held to, and what its calls and its answer must be."""

    grammar: dict[str, Any]
    kinds: dict[str, TypeAdapter[Any]]
    """By recipient; the answer's under `final`, if it is typed."""
    budget: int | None


def setting(seed: int) -> Setting:
    """One to five tools and, in every other setting, a type of the answer."""
    rng = Random(seed)
    models = {f"do_{at}": model_of(rng, f"Do{at}") for at in range(1 + seed % 5)}
    kinds = {f"functions.{name}": TypeAdapter[Any](model) for name, model in models.items()}
    functions = [
        ToolDescription(name, "Anything.", kinds[f"functions.{name}"].json_schema())
        for name in models
    ]
    answer: TypeAdapter[Any] | None = TypeAdapter(kind_of(rng)) if seed % 2 else None
    if answer is not None:
        kinds["final"] = answer
    budget = BUDGETS[seed // 2 % len(BUDGETS)]
    grammar = turn_grammar(
        functions=functions,
        output_schema=None if answer is None else answer.json_schema(),
        reasoning_budget=budget,
    )
    return Setting(grammar, kinds, budget)


@pytest.mark.parametrize(
    ("settings", "turns"),
    [
        pytest.param(range(4), 6, id="24 turns"),
        pytest.param(range(4, 26), 8, id="176 turns", marks=pytest.mark.slow),
    ],
)
async def test_no_turn_is_malformed_however_wild_the_model(
    random_server: Server, settings: range, turns: int
) -> None:
    engine = VLLMEngine(random_server.url)
    assert await engine.obeys_grammars()
    ended: Counter[str] = Counter()
    gate = anyio.CapacityLimiter(AT_ONCE)

    async def sample(held: Setting, number: int) -> None:
        prompt = Transcript([Message("user", babble(number))]).prompt()
        sampling = Sampling(max_tokens=MAX_TOKENS, grammar=held.grammar)
        async with gate, aclosing(engine.generate(prompt, sampling)) as pieces:
            tokens = [token async for piece in pieces for token in piece.tokens]
        ended[check(tokens, held)] += 1

    numbers = count()
    async with engine, anyio.create_task_group() as group:
        for held in map(setting, settings):
            for _ in range(turns):
                group.start_soon(sample, held, next(numbers))
    assert ended.total() == len(settings) * turns
    assert ended["call"] > 0
    assert ended["final"] > 0
    assert ended["cut"] < ended.total() / 3


def babble(number: int) -> str:
    return decode(Random(number).choices(range(special.FIRST), k=20))


def check(tokens: Sequence[int], held: Setting) -> str:
    """Hold one turn to everything that was promised; returns what it ended in."""
    parser = StreamParser(strict=True)
    parser.feed(tokens)
    if held.budget is not None:
        assert sum(lengths_of_reasoning(tokens)) <= held.budget
    if tokens[-1] not in {special.RETURN, special.CALL}:
        # Texts and strings may be too long for the limit; up to there all is well.
        assert len(tokens) == MAX_TOKENS
        return "cut"
    parser.finish()
    last = parser.messages[-1]
    if last.recipient is None:
        assert last.channel == "final"
        if "final" in held.kinds:
            held.kinds["final"].validate_json(last.text)
        return "final"
    assert last.channel == "commentary"
    held.kinds[last.recipient].validate_json(last.text)
    return "call"


def lengths_of_reasoning(tokens: Sequence[int]) -> Iterator[int]:
    """Tokens of each reasoning message, its header and its end not counted."""
    at = 0
    while special.MESSAGE in tokens[at:]:
        begin = tokens.index(special.MESSAGE, at) + 1
        at = next((i for i in range(begin, len(tokens)) if tokens[i] >= special.FIRST), len(tokens))
        if decode(tokens[:begin]).endswith("<|channel|>analysis<|message|>"):
            yield at - begin

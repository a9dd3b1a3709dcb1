"""The turn grammar on a real server.

The model's weights are random, so its turns are well-formed only because of the grammar.
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
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, create_model

from ossia.agent import Sampling, Server, TurnRequest, VLLMEngine
from ossia.harmony import Message, StreamParser, ToolDescription, Transcript, decode
from ossia.harmony.constrain import turn_grammar
from ossia.harmony.format import special

# The first test of a session also waits for the server to start.
pytestmark = [pytest.mark.vllm, pytest.mark.timeout(600)]

MAX_TOKENS = 250
CONCURRENCY = 32
BUDGETS = (None, 0, 3, 10)

AnyType = Any
"""A type as a value. Type checkers do not understand types that are created at run time."""
_annotated: Any = Annotated
_literal: Any = Literal
_list: Any = list
_tuple: Any = tuple


def random_type(rng: Random, depth: int = 0) -> AnyType:
    """Return a random type, like those that users write."""
    low = rng.randint(-100, 100)
    words = tuple(f"word {rng.randint(0, 99)}" for _ in range(rng.randint(1, 4)))
    simple: list[AnyType] = [
        bool,
        _annotated[int, Field(ge=low, le=low + rng.randint(0, 5000))],
        _annotated[float, Field(ge=0, le=rng.randint(1, 1000))],
        str,
        _literal[words],
    ]
    if depth > 1 or rng.random() < 0.6:
        return rng.choice([*simple, rng.choice(simple) | None])
    inner, other = random_type(rng, depth + 1), random_type(rng, depth + 1)
    model = random_model(rng, f"Inner{rng.randint(0, 10**6)}", depth + 1)
    length = Field(max_length=rng.randint(0, 2))
    return rng.choice(
        [_annotated[_list[inner], length], _tuple[inner, other], model, model | inner]
    )


def random_model(rng: Random, name: str, depth: int = 0) -> type[BaseModel]:
    """Return a model with up to three random fields."""
    fields: dict[str, Any] = {}
    for index in range(rng.randint(0, 3)):
        kind = random_type(rng, depth)
        field = (kind, ...) if rng.random() < 0.7 else (kind | None, None)
        fields[f"{rng.choice(('size', 'käse', 'x_y'))}_{index}"] = field
    # A model with random weights adds members without end to an object that is open.
    extra: Literal["allow", "forbid"] = "allow" if rng.random() < 0.1 else "forbid"
    return create_model(name, __config__=ConfigDict(extra=extra), **fields)


@dataclass(frozen=True)
class TurnSetup:
    """The grammar of a turn, and the types of its tool calls and its answer."""

    grammar: str
    types: dict[str, TypeAdapter[Any]]
    """The types by recipient; the key of a typed answer is `final`."""
    budget: int | None


def random_setup(seed: int) -> TurnSetup:
    """Return a setup with one to five tools and, for every other seed, a typed answer."""
    rng = Random(seed)
    models = {f"do_{index}": random_model(rng, f"Do{index}") for index in range(1 + seed % 5)}
    types = {f"functions.{name}": TypeAdapter[Any](model) for name, model in models.items()}
    functions = [
        ToolDescription(name, "Anything.", types[f"functions.{name}"].json_schema())
        for name in models
    ]
    output_type: TypeAdapter[Any] | None = TypeAdapter(random_type(rng)) if seed % 2 else None
    if output_type is not None:
        types["final"] = output_type
    budget = BUDGETS[seed // 2 % len(BUDGETS)]
    grammar = turn_grammar(
        functions=functions,
        output_schema=None if output_type is None else output_type.json_schema(),
        reasoning_budget=budget,
    )
    return TurnSetup(grammar, types, budget)


@pytest.mark.parametrize(
    ("seeds", "turns"),
    [
        pytest.param(range(4), 6, id="24 turns"),
        pytest.param(range(4, 26), 8, id="176 turns", marks=pytest.mark.slow),
    ],
)
async def test_every_turn_of_a_random_model_is_well_formed(
    random_server: Server, seeds: range, turns: int
) -> None:
    engine = VLLMEngine(random_server.url)
    assert await engine.obeys_grammars()
    outcomes: Counter[str] = Counter()
    limiter = anyio.CapacityLimiter(CONCURRENCY)

    async def sample(setup: TurnSetup, number: int) -> None:
        prompt = Transcript([Message("user", random_text(number))]).prompt()
        sampling = Sampling(max_tokens=MAX_TOKENS)
        request = TurnRequest(prompt=prompt, sampling=sampling, grammar=setup.grammar)
        async with limiter, aclosing(engine.generate(request)) as pieces:
            tokens = [token async for piece in pieces for token in piece.tokens]
        outcomes[check_turn(tokens, setup)] += 1

    numbers = count()
    async with engine, anyio.create_task_group() as group:
        for setup in map(random_setup, seeds):
            for _ in range(turns):
                group.start_soon(sample, setup, next(numbers))
    assert outcomes.total() == len(seeds) * turns
    assert outcomes["call"] > 0
    assert outcomes["final"] > 0
    assert outcomes["cut"] < outcomes.total() / 2


def random_text(number: int) -> str:
    return decode(Random(number).choices(range(special.FIRST), k=20))


def check_turn(tokens: Sequence[int], setup: TurnSetup) -> str:
    """Check everything that a grammar promises about a turn; return how the turn ended."""
    parser = StreamParser(strict=True)
    parser.feed(tokens)
    if setup.budget is not None:
        assert sum(reasoning_lengths(tokens)) <= setup.budget
    if tokens[-1] not in {special.RETURN, special.CALL}:
        # A text or string may exceed the token limit; it is well-formed up to there.
        assert len(tokens) == MAX_TOKENS
        return "cut"
    parser.finish()
    last = parser.messages[-1]
    if last.recipient is None:
        assert last.channel == "final"
        if "final" in setup.types:
            setup.types["final"].validate_json(last.text)
        return "final"
    assert last.channel == "commentary"
    setup.types[last.recipient].validate_json(last.text)
    return "call"


def reasoning_lengths(tokens: Sequence[int]) -> Iterator[int]:
    """Yield the number of tokens of each reasoning message, without its header and end."""
    end = 0
    while special.MESSAGE in tokens[end:]:
        start = tokens.index(special.MESSAGE, end) + 1
        end = next(
            (i for i in range(start, len(tokens)) if tokens[i] >= special.FIRST), len(tokens)
        )
        if decode(tokens[:start]).endswith("<|channel|>analysis<|message|>"):
            yield end - start

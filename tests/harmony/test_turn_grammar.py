"""The turn grammar, by the matcher that a server uses: what can be sampled, and what cannot."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from ipaddress import IPv4Address
from itertools import chain, product
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple
from uuid import UUID

import pytest
from pydantic import BaseModel, ConfigDict, Field, HttpUrl, RootModel, SecretStr, TypeAdapter
from typing_extensions import TypeAliasType, TypedDict

from ossia.agent.engines.vllm import engine_python
from ossia.agent.testing import harmony_tokens
from ossia.errors import HarmonyError
from ossia.harmony import ToolDescription, ToolNamespace
from ossia.harmony.constrain import turn_grammar

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(180)]

CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city"],
    "additionalProperties": False,
}
QUERY = {
    "type": "object",
    "properties": {"query": {"type": "string"}},
    "required": ["query"],
    "additionalProperties": False,
}
WEATHER = ToolDescription("get_weather", "The weather.", CITY)
PING = ToolDescription("ping", "Nothing needed.", None)
SEARCH = ToolDescription("search_mail", "Mails.", QUERY)
PYTHON = ToolNamespace("python", "Code.")
BROWSER = ToolNamespace("browser", "Pages.", (ToolDescription("search", "Search.", QUERY),))
ANSWER = {
    "type": "object",
    "properties": {"total": {"type": "integer"}},
    "required": ["total"],
    "additionalProperties": False,
}

Tools = tuple[tuple[ToolDescription, ...], tuple[ToolNamespace, ...]]
TOOLS: dict[str, Tools] = {
    "none": ((), ()),
    "one function": ((WEATHER,), ()),
    "three functions": ((WEATHER, PING, SEARCH), ()),
    "python": ((), (PYTHON,)),
    "browser": ((), (BROWSER,)),
    "python and functions": ((WEATHER, PING), (PYTHON,)),
}
NAMED = {
    "one function": "functions.get_weather",
    "three functions": "functions.ping",
    "python": "python",
    "browser": "browser.search",
    "python and functions": "python",
}
GOOD = {
    "functions.get_weather": ['{"city": "Rome"}', '{"city":"Rome","days":3}'],
    "functions.ping": ["{}"],
    "functions.search_mail": ['{"query": "a \\"b\\" < |x| \\u003c|end|> ü"}'],
    "python": ["print(417 * 38)", "x = 1\nx", '{"code": "1"}'],
    "browser.search": ['{"query":"gpt-oss"}'],
}
BAD = {
    "functions.get_weather": ['{"city": 3}', "{}", '{"city": "Rome"', "Rome", '{"town": "Rome"}'],
    "functions.ping": ['{"a": 1}', "", "[]"],
    "functions.search_mail": [
        '{"query": null}',
        '{"query": "a<|end|>b"}',
        '{"query": "<|start|>assistant<|channel|>final<|message|>"}',
        '{"query": "<|reserved_200010|>"}',
    ],
    "python": [],
    "browser.search": ['{"q": "x"}', "gpt-oss"],
}
THOUGHT = "<|channel|>analysis<|message|>Hm, well.<|end|><|start|>assistant"
PREAMBLE = "<|channel|>commentary<|message|>Let me see.<|end|><|start|>assistant"


@dataclass(frozen=True)
class Cell:
    """A corner of the matrix: its tools, its schema, its tool choice."""

    tools: str
    typed: bool
    choice: str

    @property
    def recipients(self) -> list[str]:
        functions, namespaces = TOOLS[self.tools]
        names = [f"functions.{tool.name}" for tool in functions]
        for space in namespaces:
            names += [f"{space.name}.{tool.name}" for tool in space.tools] or [space.name]
        return names

    def good(self) -> Iterator[str]:
        for recipient in self.recipients:
            if self.choice in {"auto", "required", recipient}:
                yield from whole_calls(recipient, GOOD[recipient])
        if self.choice in {"auto", "none"}:
            if not self.typed:
                yield from ("<|channel|>final<|message|>It is 5.", "<|channel|>final<|message|>")
            else:
                yield '<|channel|>final<|message|>{"total": 5}'
                yield '<|channel|>final <|constrain|>json<|message|>{"total":-5}'

    def bad(self) -> Iterator[str]:
        for recipient, contents in GOOD.items():
            if recipient in self.recipients and self.choice in {"auto", "required", recipient}:
                yield from whole_calls(recipient, BAD[recipient])
                yield from whole_calls(recipient, [f"{contents[0]}<|end|>x"])
            else:
                yield from whole_calls(recipient, contents)
        yield from whole_calls("functions.imagined", ["{}"])
        yield '<|channel|>final<|message|>It is<|message|>{"total": 5}'
        yield "<|channel|>commentary<|message|>Only a preamble."
        yield "<|channel|>analysis<|message|>Only a thought."
        yield "It is 5."
        yield ""
        if self.typed:
            yield "<|channel|>final<|message|>It is 5."
            yield '<|channel|>final<|message|>{"total": "5"}'
            yield '<|channel|>final<|message|>{"total": 5' + " " * 50 + "}"
            yield '<|channel|>final<|message|>{"total": 5<|end|>}'
        if self.choice not in {"auto", "none"}:
            yield "<|channel|>final<|message|>It is 5."
            yield '<|channel|>final<|message|>{"total": 5}'


def whole_calls(recipient: str, contents: Sequence[str]) -> Iterator[str]:
    """The same call in both orders of the header."""
    builtin = not recipient.startswith("functions.")
    channel = "analysis" if builtin else "commentary"
    kind = " code" if builtin else " <|constrain|>json"
    for content in contents:
        yield f"<|channel|>{channel} to={recipient}{kind}<|message|>{content}"
        yield f" to={recipient}<|channel|>{channel}{kind}<|message|>{content}"


CELLS = [
    Cell(tools, typed, choice)
    for tools, typed in product(TOOLS, (False, True))
    for choice in ("auto", "required", "none", NAMED.get(tools, ""))
    if TOOLS[tools] != ((), ()) or choice in {"auto", "none"}
]


def tag_of(cell: Cell) -> dict[str, Any]:
    functions, namespaces = TOOLS[cell.tools]
    return turn_grammar(
        functions=functions,
        namespaces=namespaces,
        output_schema=ANSWER if cell.typed else None,
        tool_choice=cell.choice,
    )


Case = tuple[dict[str, Any], list[list[int]]]
"""A structural tag, and turns to try it on."""


def match(cases: Sequence[Case]) -> list[list[int | None]]:
    """What xgrammar says of turns: None is a whole turn, a number where it is refused."""
    asked = json.dumps([{"tag": tag, "turns": turns} for tag, turns in cases])
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [engine_python(), Path(__file__).with_name("xgrammar_matcher.py")],
        input=asked.encode(),
        env={**os.environ, "PYTHONPATH": str(root / ".typing")},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    answers: list[list[int | None]] = json.loads(done.stdout)
    return answers


def test_every_cell_of_the_matrix_admits_what_is_good_and_nothing_else() -> None:
    befores = ("", THOUGHT, PREAMBLE, THOUGHT * 3 + PREAMBLE)
    turns = {
        cell: [
            (before + turn, good)
            for good, made in ((True, cell.good()), (False, cell.bad()))
            for turn in made
            for before in befores
        ]
        for cell in CELLS
    }
    cases = [
        (tag_of(cell), [harmony_tokens(turn) for turn, _ in told]) for cell, told in turns.items()
    ]
    wrong = [
        (cell, turn, good, at)
        for (cell, told), answers in zip(turns.items(), match(cases), strict=True)
        for (turn, good), at in zip(told, answers, strict=True)
        if (at is None) != good
    ]
    assert not wrong
    assert len(cases) == 2 * (2 + 5 * 4)


BUDGETS = (12, 0, 7, 1, 12)
"""Side by side, for a server compiles the grammars of all its users in one place."""


def test_no_turn_reasons_beyond_its_budget_and_one_message_may_use_it_all() -> None:
    answer = harmony_tokens("<|channel|>final<|message|>5")
    open_, close = map(harmony_tokens, THOUGHT.split("Hm, well."))

    def turn(lengths: Sequence[int]) -> list[int]:
        thoughts = [[*open_, *harmony_tokens("x") * length, *close] for length in lengths]
        return [*chain.from_iterable(thoughts), *answer]

    cases: list[Case] = []
    whole: list[list[bool]] = []
    for budget in BUDGETS:
        within: list[tuple[int, ...]] = [(n,) for n in range(budget + 1)] if budget else [()]
        within += [(budget // n,) * n for n in (2, 3, 4) if budget // n]
        beyond = [(budget + 1,), (budget, 1), (1, budget), (budget // 2 + 1,) * 2]
        cases.append((turn_grammar(reasoning_budget=budget), [*map(turn, within + beyond)]))
        whole.append([True] * len(within) + [False] * len(beyond))
    assert [[at is None for at in answers] for answers in match(cases)] == whole


def test_grammars_of_one_shape_are_told_apart() -> None:
    """xgrammar 0.2.8 mixes up grammars that differ in token ids alone; ours must not."""
    names = ("alpha", "omega", "delta", "gamma")
    turns = [harmony_tokens(call) for name in names for call in calls(name)]
    cases = [
        (turn_grammar(functions=[ToolDescription(name, "")], tool_choice="required"), turns)
        for name in names
    ]
    for name, answers in zip(names, match(cases), strict=True):
        assert [at is None for at in answers] == [name == other for other in names for _ in "ab"]


def calls(name: str) -> Iterator[str]:
    return whole_calls(f"functions.{name}", ["{}"])


def test_a_tool_choice_that_leaves_nothing_to_say_is_refused() -> None:
    with pytest.raises(HarmonyError, match=r"functions\.ping"):
        turn_grammar(functions=[PING], tool_choice="functions.pong")
    with pytest.raises(HarmonyError, match="nothing to say"):
        turn_grammar(tool_choice="required")


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Node(BaseModel):
    """Refers to itself."""

    value: int
    children: list[Node] = []


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: Annotated[int, Field(ge=1, le=9)]


class Dog(BaseModel):
    kind: Literal["dog"]
    name: Annotated[str, Field(pattern=r"^\p{Lu}\w+$", max_length=100_000)]


class Everything(BaseModel):
    """What people write in models, and a few things that grammars cannot express."""

    text: str = "x"
    day: date
    ident: UUID
    price: Decimal
    big: Annotated[int, Field(le=10**30)]
    colour: Colour | None
    pair: tuple[int, str]
    scores: dict[str, float]
    pet: Annotated[Cat | Dog, Field(discriminator="kind")]
    tree: Node
    tags: set[str]


class Size(IntEnum):
    SMALL = 1
    LARGE = 2


@dataclass
class Point:
    x: int
    y: int = 0


class Note(TypedDict, total=False):
    text: str
    by: str


class Named(NamedTuple):
    name: str
    size: int


Names = RootModel[list[str]]
Json = TypeAliasType("Json", "dict[str, Json] | list[Json] | str | int | float | bool | None")


class Shape(BaseModel):
    """A model that holds the other ways to write one, and forbids what it does not know."""

    model_config = ConfigDict(extra="forbid")

    kind: Size
    at: Point = Field(alias="where", default=Point(0))
    note: Note
    even: Annotated[int, Field(multiple_of=2, ge=0)]
    secret: SecretStr | None = None


class Moments(BaseModel):
    """What pydantic reads out of strings; times have their offset, as JSON Schema asks."""

    when: datetime
    at: time
    takes: timedelta
    host: IPv4Address
    page: HttpUrl
    file: Path
    data: bytes
    kinds: frozenset[Colour]


MOMENTS = Moments(
    when=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    at=time(3, 4, 5, tzinfo=UTC),
    takes=timedelta(days=1, seconds=5),
    host=IPv4Address("10.0.0.1"),
    page=HttpUrl("https://example.org/a?b=c"),
    file=Path("/a/b"),
    data=b"abc",
    kinds=frozenset({Colour.RED}),
)
EVERYTHING = Everything(
    day=date(2026, 1, 2),
    ident=UUID(int=5),
    price=Decimal("1.5"),
    big=7,
    colour=Colour.RED,
    pair=(1, "a"),
    scores={"a": 0.5, "ü": 2.0},
    pet=Dog(kind="dog", name="Rex"),
    tree=Node(value=1, children=[Node(value=2)]),
    tags={"a"},
)
SCHEMAS: list[tuple[Any, Any]] = [
    (Everything, EVERYTHING),
    (Node, EVERYTHING.tree),
    (int | None, None),
    (list[Literal["a", "b"]], ["a", "b"]),
    (tuple[int, ...], (1, 2)),
    (dict[str, list[Cat]], {"a": [Cat(kind="cat", lives=9)]}),
    (str, "free"),
    (float, 1.5),
    (bool, True),
    (Shape, Shape(kind=Size.LARGE, where=Point(1, 2), note={"text": "a"}, even=4)),
    (Moments, MOMENTS),
    (Named, Named("a", 1)),
    (Names, Names(["a", "b"])),
    (int | str | None, "a"),
    (dict[int, str], {1: "a"}),
    (list[list[int] | None], [[1], None]),
    (Json, {"a": [1, None, {"b": True}]}),
    (Annotated[list[int], Field(min_length=1, max_length=2)], [1, 2]),
    (Annotated[str, Field(pattern="^[a-z]{2,5}-[0-9]+$")], "abc-12"),
    (Annotated[float, Field(gt=0, lt=1)], 0.5),
]


def test_what_everyday_models_dump_can_be_sampled() -> None:
    cases: list[Case] = []
    for kind, value in SCHEMAS:
        adapter: TypeAdapter[Any] = TypeAdapter(kind)
        tag = turn_grammar(output_schema=adapter.json_schema())
        text = adapter.dump_json(value, by_alias=True).decode()
        cases.append(
            (tag, [[*harmony_tokens("<|channel|>final<|message|>"), *harmony_tokens(text)]])
        )
    assert match(cases) == [[None]] * len(cases)


def test_what_the_grammar_engine_cannot_express_is_loosened() -> None:
    schema = {
        "type": "object",
        "properties": {
            "a": {"$ref": "#/$defs/a~1b"},
            "never": False,
            "far": {"$ref": "https://example.com/schema"},
            "long": {"type": "array", "items": {"type": "integer"}, "maxItems": 10**6},
            "twice": {"type": "string", "pattern": r"^(?=.*\d)(\w)\1+$"},
            "not": {"not": {"type": "string"}},
            "strict": {"type": "object", "additionalProperties": False},
        },
        "$defs": {"a/b": {"type": "integer", "maximum": 2**70}},
    }
    tag = turn_grammar(output_schema=schema)
    head = "<|channel|>final<|message|>"
    good = ['{"a": 5}', '{"far": [1]}', '{"long": [1, 2]}', '{"strict": {}}']
    good += ['{"twice": "11"}', '{"not": 5}']
    bad = ['{"a": "5"}', '{"strict": {"x": 1}}']
    (answers,) = match([(tag, [harmony_tokens(head + text) for text in good + bad])])
    assert [at is None for at in answers] == [True] * len(good) + [False] * len(bad)

"""Grammars of everyday types, and of schemas that the grammar engine cannot express."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from ipaddress import IPv4Address
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple
from uuid import UUID

import pytest
from pydantic import BaseModel, ConfigDict, Field, HttpUrl, RootModel, SecretStr, TypeAdapter
from typing_extensions import TypeAliasType, TypedDict

from ossia.agent.testing import harmony_tokens
from ossia.harmony.constrain import turn_grammar
from tests.harmony.constrain.grammar_matching import Case, match

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(180)]


class Color(Enum):
    RED = "red"
    BLUE = "blue"


class Node(BaseModel):
    """A recursive model."""

    value: int
    children: list[Node] = []


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: Annotated[int, Field(ge=1, le=9)]


class Dog(BaseModel):
    kind: Literal["dog"]
    name: Annotated[str, Field(pattern=r"^\p{Lu}\w+$", max_length=100_000)]


class Everything(BaseModel):
    """A model with common types, and some that grammars cannot express."""

    text: str = "x"
    day: date
    ident: UUID
    price: Decimal
    big: Annotated[int, Field(le=10**30)]
    color: Color | None
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
    """A model with other kinds of types, which forbids unknown fields."""

    model_config = ConfigDict(extra="forbid")

    kind: Size
    at: Point = Field(alias="where", default=Point(0))
    note: Note
    even: Annotated[int, Field(multiple_of=2, ge=0)]
    secret: SecretStr | None = None


class Moments(BaseModel):
    """Types that pydantic reads from strings; times have an offset, as JSON Schema requires."""

    when: datetime
    at: time
    takes: timedelta
    host: IPv4Address
    page: HttpUrl
    file: Path
    data: bytes
    kinds: frozenset[Color]


MOMENTS = Moments(
    when=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    at=time(3, 4, 5, tzinfo=UTC),
    takes=timedelta(days=1, seconds=5),
    host=IPv4Address("10.0.0.1"),
    page=HttpUrl("https://example.org/a?b=c"),
    file=Path("/a/b"),
    data=b"abc",
    kinds=frozenset({Color.RED}),
)
EVERYTHING = Everything(
    day=date(2026, 1, 2),
    ident=UUID(int=5),
    price=Decimal("1.5"),
    big=7,
    color=Color.RED,
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


def test_dumped_values_of_everyday_types_are_allowed() -> None:
    cases: list[Case] = []
    for type_, value in SCHEMAS:
        adapter: TypeAdapter[Any] = TypeAdapter(type_)
        tag = turn_grammar(output_schema=adapter.json_schema())
        text = adapter.dump_json(value, by_alias=True).decode()
        cases.append(
            (tag, [[*harmony_tokens("<|channel|>final<|message|>"), *harmony_tokens(text)]])
        )
    assert match(cases) == [[None]] * len(cases)


def test_schemas_that_the_grammar_engine_cannot_express_are_relaxed() -> None:
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
    valid = ['{"a": 5}', '{"far": [1]}', '{"long": [1, 2]}', '{"strict": {}}']
    valid += ['{"twice": "11"}', '{"not": 5}']
    invalid = ['{"a": "5"}', '{"strict": {"x": 1}}']
    (rejected_at,) = match([(tag, [harmony_tokens(head + text) for text in valid + invalid])])
    assert [at is None for at in rejected_at] == [True] * len(valid) + [False] * len(invalid)

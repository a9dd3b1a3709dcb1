"""Signatures of enums, models, dataclasses and the like, beside what pydantic-ai makes of them."""

import enum
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, Generic, Literal, NamedTuple, NotRequired, TypeVar

import pydantic_ai
import pytest
from pydantic import BaseModel, ConfigDict, Field, RootModel
from typing_extensions import TypedDict

from ossia.tools import tool

T = TypeVar("T")


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Size(enum.StrEnum):
    S = "s"
    L = "l"


class Address(BaseModel):
    """Where somebody lives."""

    street: str = Field(description="With the number.")
    code: int | None = None


class Person(BaseModel):
    name: str
    home: Address
    friends: list["Person"] = []


class Renamed(BaseModel):
    from_: str = Field(alias="from")


class Loose(BaseModel):
    model_config = ConfigDict(extra="allow")
    a: int


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    loud: bool


class Box(BaseModel, Generic[T]):
    item: T


class Ints(RootModel[list[int]]):
    pass


@dataclass
class Point:
    """A point."""

    x: int
    y: int = 0


class Options(TypedDict, total=False):
    limit: int
    tags: list[str]


class Mixed(TypedDict):
    a: int
    b: NotRequired[str]


class Pair(NamedTuple):
    a: int
    b: str = "x"


Pet = Annotated[Cat | Dog, Field(discriminator="kind")]

ALIKE = """
x: Color
x: Color = Color.RED
x: Level
x: Size
x: Cat | Dog
x: Pet
x: Pet, y: int = 0
x: list[int | Address] | dict[str, bool]
x: Address | None = None
x: Address, y: Address
x: Person, n: int
x: dict[str, Address]
x: Renamed, y: int = 0
x: Loose, y: int = 0
x: Box[int], y: int = 0
x: Ints, y: int = 0
x: Pair
x: Annotated[Address, Field(description="The one.")]
""".strip().splitlines()

NAME = "the model sees the parameter's name, and an unknown argument beside it is refused"
REFUSED = "a misspelt key in it is refused, as any unknown argument is; there, it is dropped"
UNLIKE = {
    "x: Address": NAME,
    "x: Renamed": NAME,
    "x: Loose": NAME,
    "x: Person": NAME,
    "x: Box[int]": NAME,
    "x: Point": NAME,
    "x: Options": NAME,
    "x: Address = Address(street='a')": NAME + "; there, the default is lost, too",
    "x: Point, y: int = 0": REFUSED,
    "x: Mixed, y: int = 0": REFUSED,
}


def function(signature: str) -> Callable[..., dict[str, Any]]:
    """A function of that signature; it returns its arguments."""
    made: dict[str, Any] = {}
    exec(f"def f({signature}):\n    return dict(locals())", globals(), made)
    written: Callable[..., dict[str, Any]] = made["f"]
    return written


@pytest.mark.parametrize("signature", ALIKE)
async def test_it_is_what_pydantic_ai_makes_of_it(
    signature: str, side_by_side: Callable[..., Awaitable[Any]]
) -> None:
    both = await side_by_side(function(signature))
    assert both.schema == both.their_schema
    assert both.calls == both.their_calls


@pytest.mark.parametrize(("signature", "reason"), UNLIKE.items())
async def test_it_differs_for_a_reason(
    signature: str, reason: str, side_by_side: Callable[..., Awaitable[Any]]
) -> None:
    both = await side_by_side(function(signature))
    assert (both.schema, both.calls) != (both.their_schema, both.their_calls), f"no more: {reason}"


def test_an_array_is_a_parameter_like_any_other_and_refused_by_pydantic_ai_alone() -> None:
    written = function("x: Ints")
    with pytest.raises(pydantic_ai.UserError):
        pydantic_ai.Tool(written)
    assert tool(written).arguments.read('{"x": [1, 2]}', strict=False) == {"x": Ints([1, 2])}


def test_an_object_alone_is_described_at_its_parameter() -> None:
    assert tool(function("x: Point")).arguments.schema == {
        "$defs": {
            "Point": {
                "type": "object",
                "title": "Point",
                "description": "A point.",
                "properties": {"x": {"type": "integer"}, "y": {"type": "integer", "default": 0}},
                "required": ["x"],
                "additionalProperties": False,
            }
        },
        "type": "object",
        "properties": {"x": {"$ref": "#/$defs/Point"}},
        "required": ["x"],
        "additionalProperties": False,
    }

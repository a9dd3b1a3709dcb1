"""Signatures with enums, models, dataclasses and the like, compared with pydantic-ai."""

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
    """A postal address."""

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

NAME = "the model sees the parameter's name, and an unknown argument next to it is rejected"
REJECTED = "an unknown key in it is rejected, like any unknown argument; pydantic-ai drops it"
UNLIKE = {
    "x: Address": NAME,
    "x: Renamed": NAME,
    "x: Loose": NAME,
    "x: Person": NAME,
    "x: Box[int]": NAME,
    "x: Point": NAME,
    "x: Options": NAME,
    "x: Address = Address(street='a')": NAME + "; pydantic-ai also loses the default",
    "x: Point, y: int = 0": REJECTED,
    "x: Mixed, y: int = 0": REJECTED,
}


def function(signature: str) -> Callable[..., dict[str, Any]]:
    """Make a function with this signature; it returns its arguments."""
    names: dict[str, Any] = {}
    exec(f"def f({signature}):\n    return dict(locals())", globals(), names)
    function: Callable[..., dict[str, Any]] = names["f"]
    return function


@pytest.mark.parametrize("signature", ALIKE)
async def test_schema_and_calls_are_the_same_as_in_pydantic_ai(
    signature: str, side_by_side: Callable[..., Awaitable[Any]]
) -> None:
    both = await side_by_side(function(signature))
    assert both.schema == both.their_schema
    assert both.calls == both.their_calls


@pytest.mark.parametrize(("signature", "reason"), UNLIKE.items())
async def test_a_difference_to_pydantic_ai_has_a_reason(
    signature: str, reason: str, side_by_side: Callable[..., Awaitable[Any]]
) -> None:
    both = await side_by_side(function(signature))
    assert (both.schema, both.calls) != (both.their_schema, both.their_calls), (
        f"no longer a difference: {reason}"
    )


def test_a_parameter_can_be_an_array_which_pydantic_ai_rejects() -> None:
    ints = function("x: Ints")
    with pytest.raises(pydantic_ai.UserError):
        pydantic_ai.Tool(ints)
    assert tool(ints).arguments.read('{"x": [1, 2]}', strict=False) == {"x": Ints([1, 2])}


def test_the_schema_of_a_single_object_is_at_its_parameter() -> None:
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

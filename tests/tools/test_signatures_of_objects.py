"""Signatures with enums, models, dataclasses and the like, compared with pydantic-ai."""

import enum
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, Generic, Literal, NamedTuple, NotRequired, TypeVar, cast

import pydantic_ai
import pytest
from pydantic import BaseModel, ConfigDict, Field, RootModel, ValidationError
from typing_extensions import Doc, TypedDict

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


@dataclass
class Node:
    value: int
    next: "Node | None" = None


class Named(TypedDict):
    name: str
    """Family name first."""


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
x: Box[int]
x: Address
x: Renamed
x: Loose
""".strip().splitlines()

REJECTED = "an unknown key in it is rejected, like any unknown argument; pydantic-ai drops it"
UNLIKE = {
    "x: Person": REJECTED,
    "x: Point": REJECTED,
    "x: Options": REJECTED,
    "x: Point, y: int = 0": REJECTED,
    "x: Mixed, y: int = 0": REJECTED,
    "x: Address = Address(street='a')": "the call may be empty; pydantic-ai loses the default",
    "x: Annotated[Address, Field(description='The one.')]": "its members are arguments here too",
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


def test_the_members_of_a_single_object_are_the_arguments() -> None:
    declaration = tool(function("x: Point")).namespace.tools[0]
    assert declaration.description == "A point."
    assert declaration.parameters == {
        "type": "object",
        "properties": {"x": {"type": "integer"}, "y": {"type": "integer", "default": 0}},
        "required": ["x"],
        "additionalProperties": False,
    }


@pytest.mark.parametrize(
    ("annotation", "description"),
    [
        (Point, "Where to go.\n\nA point."),
        (cast("Any", Annotated)[Point, "The goal."], "The goal.\n\nA point."),
        (cast("Any", Annotated)[Point, Field(description="The goal.")], "The goal."),
    ],
)
def test_the_only_parameter_is_described_with_the_function(
    annotation: Any, description: str
) -> None:
    def go(point: Any) -> None:
        """Go there.

        Args:
            point: Where to go.
        """

    go.__annotations__["point"] = annotation
    assert tool(go).namespace.tools[0].description == f"Go there.\n\n{description}"


@pytest.mark.parametrize("written", ['{"street": "a"}', '{"x": {"street": "a"}}'])
def test_the_name_of_a_single_object_may_be_written(written: str) -> None:
    address = tool(function("x: Address")).arguments
    assert address.read(written, strict=True) == {"x": Address(street="a")}


def test_a_member_of_the_parameters_name_is_the_member() -> None:
    point = tool(function("x: Point")).arguments
    assert point.read('{"x": 3}', strict=True) == {"x": Point(3)}
    with pytest.raises(ValidationError, match="x"):
        point.read('{"x": {"x": 3}}', strict=True)


def test_an_unknown_member_of_a_single_object_is_named() -> None:
    with pytest.raises(ValidationError, match=r"z\n  Extra inputs are not permitted"):
        tool(function("x: Point")).arguments.read('{"x": 3, "z": 4}', strict=True)


def test_the_only_object_may_contain_itself() -> None:
    schema = tool(function("x: Node")).arguments.schema
    assert schema["type"] == "object"
    assert schema["properties"]["next"]["anyOf"][0] == {"$ref": "#/$defs/Node"}
    assert [*schema["$defs"]] == ["Node"]


def test_attributes_of_a_typed_dict_are_described_by_their_docstrings() -> None:
    schema = tool(function("x: Named")).arguments.schema
    assert schema["properties"]["name"]["description"] == "Family name first."
    schema = tool(function("x: Named, y: int")).arguments.schema
    assert schema["$defs"]["Named"]["properties"]["name"]["description"] == "Family name first."


@pytest.mark.parametrize("text", ["How many.", Doc("How many."), Field(description="How many.")])
def test_a_parameter_is_described_in_its_annotation(text: object) -> None:
    def count(x: int = 1) -> int:
        return x

    count.__annotations__["x"] = cast("Any", Annotated)[int, text]
    schema = tool(count).arguments.schema
    assert schema["properties"]["x"]["description"] == "How many."

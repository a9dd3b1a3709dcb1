"""Signatures with plain types, compared with pydantic-ai."""

import collections
import datetime as dt
import decimal
import pathlib
import re
import typing
import uuid
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, NewType, TypeVar

import pydantic
import pydantic_ai
import pytest
from pydantic import AfterValidator
from typing_extensions import TypeAliasType

from ossia.tools import RunContext, ToolDefinitionError, tool

T = TypeVar("T")
UserId = NewType("UserId", int)
Doubled = Annotated[int, AfterValidator(lambda value: 2 * value)]
Tree = TypeAliasType("Tree", "dict[str, Tree] | list[Tree] | str | int | None")


class Session:
    """A type without a JSON form."""


# The names that the annotations below can use.
NAMES: dict[str, Any] = {
    **vars(collections),
    **vars(typing),
    **globals(),
    "AnyUrl": pydantic.AnyUrl,
    "Field": pydantic.Field,
    "Json": pydantic.Json,
    "SecretStr": pydantic.SecretStr,
    "StrictInt": pydantic.StrictInt,
    "date": dt.date,
    "datetime": dt.datetime,
    "time": dt.time,
    "timedelta": dt.timedelta,
    "Decimal": decimal.Decimal,
    "Path": pathlib.Path,
    "UUID": uuid.UUID,
    "Pattern": re.Pattern,
}

ALIKE = """
x: int
x: float
x: str
x: bool
x
x=3
x: Any
x: object
x: int = 3
x: str | None = None
x: Optional[str]
x: None
x: "int"
*, x: int, y: int = 2
x: int, y: int = 2, /
x: int, /, y: int, *, z: int = 3
**kw: int
x: int, **kw: float
json: str, schema: str = "", copy: int = 1, model_config: int = 2
_id: int
from_: Annotated[str, Field(alias="from")]
from_: Annotated[str, Field(validation_alias="from")]
x: int = Field(3, description="Given.")
x: list[int] = Field(default_factory=list)
x: Annotated[int, Field(default=3, ge=1)]
x: Annotated[int, Field(ge=1, le=5, description="From 1 to 5.")]
x: Annotated[str, Field(pattern="^a+$", min_length=2)]
x: Annotated[list[int], Field(min_length=1)]
x: Decimal
x: datetime
x: date
x: time
x: timedelta
x: UUID
x: bytes
x: Path
x: AnyUrl
x: Pattern
x: list[int]
x: list
x: dict
x: dict[str, int]
x: dict[int, str]
x: set[int]
x: frozenset[str]
x: tuple[int, str]
x: tuple[int, ...]
x: Sequence[int]
x: Mapping[str, int]
x: Iterable[int]
x: deque[int]
x: list[dict[str, list[int]]]
x: Literal["a", "b"]
x: Literal["a"]
x: Literal[1, 2]
x: Literal["a", 1, None]
x: int | str
x: bool | int
x: list[int] | None = None
x: UserId
x: Doubled
x: StrictInt
x: SecretStr
x: Json[list[int]]
x: T
x: Tree
x: complex
x: Counter[str]
""".strip().splitlines()

UNLIKE = {
    "*xs: int": "as in Python, it can be empty; in pydantic-ai, the model must send an empty list",
    "a: int, *xs: int, c: str": "the same",
    "x: int = ...": "it is required, as in pydantic; in pydantic-ai, the function gets an Ellipsis",
}

REJECTED = ["x: Callable[[int], int]", "x: type", "x: Session", "x: list[Session] | None = None"]


def function(signature: str) -> Callable[..., dict[str, Any]]:
    """Make a function with this signature; it returns its arguments."""
    names: dict[str, Any] = {}
    exec(f"def f({signature}):\n    return dict(locals())", NAMES, names)
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


@pytest.mark.parametrize("signature", REJECTED)
def test_a_type_without_a_json_form_is_rejected(signature: str) -> None:
    rejected = function(signature)
    with pytest.raises(Exception, match=r"[Ss]chema"):
        pydantic_ai.Tool(rejected)
    with pytest.raises(ToolDefinitionError, match="'x'"):
        tool(rejected)


def test_a_default_without_a_json_form_is_passed_on() -> None:
    nothing = object()

    def f(x: int = nothing) -> bool:  # type: ignore[assignment]
        return x is nothing

    function_tool = tool(f)
    assert function_tool.namespace.tools[0].parameters == {
        "type": "object",
        "properties": {"x": {"type": "integer"}},
        "additionalProperties": False,
    }
    assert function_tool.signature.bind(
        f, function_tool.arguments.read("{}", strict=False), RunContext(None)
    )()

"""Values that are generated from JSON Schemas."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from ipaddress import IPv4Address, IPv6Network
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, Json, TypeAdapter, create_model
from typing_extensions import TypedDict

from ossia.agent.testing.pattern_text import texts_matching
from ossia.agent.testing.schema_checks import is_valid
from ossia.agent.testing.schema_values import NoValueError, value_for


class Tree(BaseModel):
    name: str
    branches: list[Tree]
    parent: Tree | None


class Color(Enum):
    RED = "red"
    BLUE = 2


class Cat(BaseModel):
    model_config = ConfigDict(extra="forbid")
    kind: Literal["cat"]
    lives: Annotated[int, Field(ge=1, le=9)]


class Dog(BaseModel):
    kind: Literal["dog"]


@dataclass
class Point:
    x: float
    y: float = 0.0


class Place(TypedDict):
    city: str
    at: Point


Pet = Annotated[Cat | Dog, Field(discriminator="kind")]

TYPES: list[Any] = [
    *(int, float, str, bool, bytes, None, Any, object, dict, list, Color, Decimal, UUID, Json),
    *(date, datetime, time, timedelta, IPv4Address, IPv6Network),
    *(Tree, list[Tree], Point, Place, Pet, list[Pet], Cat | Dog, int | str | None),
    *(Literal["x", 3] | None, Literal[True], tuple[int, str], tuple[int, ...], Json[list[Point]]),
    *(dict[str, int], dict[str, Tree], set[Color], list[list[int]], dict[str, list[bool]]),
    Annotated[str, Field(pattern=r"^[A-Z]{3}-\d{4}(/[^a-z ]+)?$")],
    Annotated[str, Field(pattern=r"\w+@(?:x|y)\.com", min_length=30)],
    Annotated[str, Field(min_length=3, max_length=5)],
    Annotated[str, Field(max_length=0)],
    Annotated[int, Field(gt=3, lt=5)],
    Annotated[int, Field(multiple_of=7, ge=20)],
    Annotated[int, Field(lt=-5)],
    Annotated[int, Field(multiple_of=3, lt=-5)],
    Annotated[float, Field(gt=0, lt=1)],
    Annotated[float, Field(gt=0.3, lt=0.35)],
    Annotated[float, Field(ge=0.1, le=0.1)],
    Annotated[float, Field(gt=-0.5, lt=-0.1)],
    Annotated[float, Field(multiple_of=0.5, ge=0.25)],
    Annotated[set[bool], Field(min_length=2)],
    Annotated[set[int], Field(min_length=40)],
    Annotated[set[tuple[int, str]], Field(min_length=3)],
    Annotated[list[Tree], Field(min_length=2)],
    Annotated[list[int], Field(max_length=0)],
    Annotated[frozenset[Literal["a", "b", "c"]], Field(min_length=3)],
    Annotated[dict[str, int], Field(min_length=3)],
    dict[Annotated[str, Field(pattern="^x+$")], int],
]


@pytest.mark.parametrize("seed", [0, 1, 5])
@pytest.mark.parametrize("kind", TYPES, ids=str)
def test_values_are_valid_for_every_kind_of_type(kind: Any, seed: int) -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(kind)
    schema = adapter.json_schema()
    value = value_for(schema, variant=seed)
    assert is_valid(schema, schema, value)
    adapter.validate_json(json.dumps(value))


# Types are built at run time here, which type checkers do not support.
annotated: Any = Annotated
literal: Any = Literal
field: Any = Field
list_of: Any = list
dict_of: Any = dict
tuple_of: Any = tuple


def number_types(kind: Any) -> st.SearchStrategy[Any]:
    low = st.integers(-1000, 1000)

    def bounded(low: int, width: int, is_open: bool) -> Any:
        lower = {"gt": low} if is_open else {"ge": low}
        return annotated[kind, field(**lower, le=low + width)]

    return st.builds(bounded, low, st.integers(1, 50), st.booleans())


PATTERNS = ["^[a-f0-9]{8}$", r"^\d+(\.\d+)?$", "^(?:GET|POST) /", r"^\S+\s\S+$", "[^x]$"]

leaf_types: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from([int, float, str, bool, date, UUID, Color, Tree, Any]),
    number_types(int),
    number_types(float),
    st.integers(1, 30).map(lambda n: annotated[int, field(multiple_of=n, gt=n)]),
    st.sampled_from(PATTERNS).map(lambda pattern: annotated[str, field(pattern=pattern)]),
    st.integers(0, 20).map(lambda n: annotated[str, field(min_length=n, max_length=n)]),
    st.lists(st.text(max_size=5), min_size=1, max_size=3).map(lambda texts: literal[tuple(texts)]),
)


def model_of(fields: list[tuple[Any, bool]]) -> Any:
    definitions: dict[str, Any] = {
        f"field_{at}": (kind, ... if is_required else None)
        for at, (kind, is_required) in enumerate(fields)
    }
    return create_model("Model", **definitions)


def nested_types(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        inner.map(lambda kind: list_of[kind]),
        inner.map(lambda kind: kind | None),
        inner.map(lambda kind: dict_of[str, kind]),
        st.tuples(inner, inner).map(lambda kinds: kinds[0] | kinds[1]),
        st.tuples(inner, inner).map(lambda kinds: tuple_of[kinds]),
        st.tuples(inner, st.integers(0, 4)).map(
            lambda pair: annotated[list_of[pair[0]], field(min_length=pair[1])]
        ),
        st.lists(st.tuples(inner, st.booleans()), max_size=4).map(model_of),
    )


@given(st.recursive(leaf_types, nested_types, max_leaves=6), st.integers(0, 100))
def test_values_are_valid_for_any_nesting_of_types(kind: Any, seed: int) -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(kind)
    value = value_for(adapter.json_schema(), variant=seed)
    adapter.validate_json(json.dumps(value))


SCHEMAS: dict[str, tuple[Any, Any]] = {
    "true": (True, "a"),
    "no keywords": ({}, "a"),
    "no type, with properties": ({"properties": {}, "required": ["x"]}, {"x": "a"}),
    "no type, with items": ({"items": {"type": "null"}}, [None]),
    "no type, with a bound": ({"minimum": 2}, 2),
    "several types": ({"type": ["integer", "null"]}, 0),
    "constant": ({"const": [1, {}]}, [1, {}]),
    "enum and a type": ({"type": "string", "enum": [1, "b"]}, "b"),
    "all of": (
        {
            "allOf": [
                {"type": "object", "properties": {"a": {"minimum": 2}}, "required": ["a"]},
                {"properties": {"a": {"type": "integer", "maximum": 5}}, "required": ["b"]},
            ]
        },
        {"a": 2, "b": "a"},
    ),
    "multiples of two numbers": (
        {"type": "integer", "minimum": 1, "allOf": [{"multipleOf": 4}, {"multipleOf": 6}]},
        12,
    ),
    "one of overlapping branches": (
        {"oneOf": [{"type": "integer", "maximum": 3}, {"type": "integer", "minimum": 0}]},
        4,
    ),
    "not": ({"type": ["string", "integer"], "not": {"type": "string"}}, 0),
    "if and then": (
        {
            "type": "object",
            "properties": {"a": {"enum": [1, 2]}},
            "required": ["a"],
            "if": {"properties": {"a": {"const": 1}}},
            "then": {"required": ["b"]},
        },
        {"a": 1, "b": "a"},
    ),
    "contains": ({"type": "array", "contains": {"const": 5}}, [5]),
    "optional properties to fill up": (
        {
            "type": "object",
            "properties": {"a": False, "b": {"type": "integer"}},
            "additionalProperties": False,
            "minProperties": 1,
        },
        {"b": 0},
    ),
    "property patterns": (
        {"type": "object", "patternProperties": {"^n_": {"type": "integer"}}},
        {"n_": 0},
    ),
    "required property of a pattern": (
        {"required": ["n_x"], "patternProperties": {"^n_": {"type": "integer"}}},
        {"n_x": 0},
    ),
    "reference with escapes": (
        {"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"type": "null"}}},
        None,
    ),
    "reference to the root": (
        {"type": "object", "properties": {"a": {"$ref": "#"}}, "required": []},
        {},
    ),
    "prefix items and unique items": (
        {"prefixItems": [{"const": 0}, {"type": "integer"}], "minItems": 2, "uniqueItems": True},
        [0, 1],
    ),
}


@pytest.mark.parametrize("name", SCHEMAS)
def test_values_of_schemas_that_pydantic_does_not_write(name: str) -> None:
    schema, expected = SCHEMAS[name]
    value = value_for(schema)
    assert value == expected
    assert type(value) is type(expected)
    assert is_valid(schema, schema, value)


IMPOSSIBLE: dict[str, tuple[Any, str]] = {
    "false": (False, "the schema: no value is allowed"),
    "no constants": ({"enum": []}, "the schema: no value was found"),
    "contradiction": ({"type": "integer", "minimum": 2, "maximum": 1}, "no value was found"),
    "endless": (
        {"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/A"}}},
        "every value for #/$defs/A contains another one",
    ),
    "endless object": (
        {"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]},
        ".a: every value for # contains another one",
    ),
    "other document": ({"$ref": "https://example.com/schema"}, "is not a path in this schema"),
    "missing definition": ({"$ref": "#/$defs/A"}, "points to nothing"),
    "lookahead": (
        {"properties": {"code": {"pattern": "^(?=b)."}}, "required": ["code"]},
        ".code: no value was found",
    ),
    "pattern of another dialect": ({"pattern": r"^\p{L}$"}, "no value was found"),
    "unknown type": ({"type": "decimal"}, "'decimal' is not a type"),
    "too few different items": (
        {"items": {"type": "boolean"}, "minItems": 3, "uniqueItems": True},
        ".items: there are not 3 different values",
    ),
    "too many items": ({"items": {}, "minItems": 10**9}, "minItems is 1000000000"),
}


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_the_error_says_where_no_value_is_possible(name: str) -> None:
    schema, reason = IMPOSSIBLE[name]
    with pytest.raises(NoValueError) as caught:
        value_for(schema)
    assert reason in str(caught.value)


def test_optional_properties_are_left_out_and_lists_have_one_item() -> None:
    schema = TypeAdapter(Place).json_schema()
    assert value_for(schema) == {"city": "a", "at": {"x": 0}}
    assert value_for(TypeAdapter(list[str]).json_schema()) == ["a"]


def test_recursive_values_are_the_shortest() -> None:
    assert value_for(Tree.model_json_schema()) == {"name": "a", "branches": [], "parent": None}


def test_another_seed_gives_another_value() -> None:
    schema = TypeAdapter(tuple[int, str, bool, Color, date]).json_schema()
    assert value_for(schema) == [0, "a", False, "red", "2024-01-01"]
    assert value_for(schema, variant=1) == [1, "b", True, 2, "2024-01-02"]


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("^ab?c*$", "a"),
        (r"^\d{2,4}$", "00"),
        ("^(?:x|y)[^a-z]$", "x0"),
        (r"^\S+@\S+$", "a@a"),
        (".", "a"),
        ("^[é-ü]$", "é"),
        (r"^\u0041\.$", "A."),
        ("^(?i:q)(?P<name>w)$", "qw"),
        ("^$", ""),
    ],
)
def test_texts_of_patterns_are_short(pattern: str, text: str) -> None:
    assert next(texts_matching(pattern)) == text

"""JSON Schema as TypeScript: the types of pydantic models, and that they are valid TypeScript."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, IntEnum
from typing import Annotated, Any, Literal

import pytest
import tree_sitter_typescript
from pydantic import BaseModel, Field
from tree_sitter import Language, Parser

from ossia.harmony import DeveloperContent, Message, ToolDescription, ToolNamespace, decode
from ossia.harmony.constrain import turn_grammar
from ossia.harmony.rendering import render, typescript
from ossia.harmony.rendering.lenient import listing, mapping
from ossia.harmony.rendering.typescript import declarations

Schema = dict[str, Any]
TYPESCRIPT = Parser(Language(tree_sitter_typescript.language_typescript()))


def is_typescript(text: str) -> bool:
    return not TYPESCRIPT.parse(text.encode()).root_node.has_error


class Color(Enum):
    RED = "red"
    BLUE = "blue"


class Size(IntEnum):
    SMALL = 1
    LARGE = 2


class Address(BaseModel):
    """Where somebody lives."""

    street: str = Field(description="Street and number")
    zip: str | None = None


class Cat(BaseModel):
    kind: Literal["cat"]


class Dog(BaseModel):
    kind: Literal["dog"]
    name: str


class Node(BaseModel):
    value: int
    children: list[Node] = []


class Person(BaseModel):
    name: str
    age: int | None = None
    home: Address
    second: Address | None = Field(None, description="A second home")
    pet: Annotated[Cat | Dog, Field(discriminator="kind")]
    mixed: list[int | str] = []
    color: Color = Color.RED
    size: Size = Size.LARGE
    level: Literal["low", 1] | None = "low"
    scores: dict[str, float] = {}
    by_color: dict[Color, int] = {}
    anything: dict[str, Any] = {}
    point: tuple[int, str]
    many: tuple[int, ...] = ()
    tree: Node


def without_titles(schema: Any) -> Any:
    """Return the schema without the titles that pydantic generates."""
    if isinstance(schema, list):
        return [without_titles(item) for item in listing(schema)]
    if not isinstance(schema, dict):
        return schema
    return {
        key: without_titles(value)
        for key, value in mapping(schema).items()
        if not (key == "title" and isinstance(value, str))
    }


PERSON = """{
name: string,
age?: number | null, // default: null
home: {
    // Where somebody lives.

    // Street and number
    street: string,
    zip?: string | null, // default: null
    },
// A second home
second?: {
    // Where somebody lives.

    // Street and number
    street: string,
    zip?: string | null, // default: null
    } | null, // default: null
pet:
 | {
   kind: "cat",
   }
 | {
   kind: "dog",
   name: string,
   }
,
mixed?: (number | string)[], // default: []
color?: "red" | "blue", // default: "red"
size?: 1 | 2, // default: 2
level?: "low" | 1 | null, // default: "low"
scores?: Record<string, number>, // default: {}
by_color?: Record<"red" | "blue", number>, // default: {}
anything?: Record<string, any>, // default: {}
point: [number, string],
many?: number[], // default: []
tree: Node,
}"""


def test_a_model_becomes_the_type_that_a_person_would_write() -> None:
    schema = without_titles(Person.model_json_schema())
    assert typescript(schema) == PERSON
    assert is_typescript(f"type Person = {PERSON};")


def test_recursive_definitions_are_named_and_declared_once() -> None:
    schema = without_titles(Node.model_json_schema())
    node = "{\nvalue: number,\nchildren?: Node[], // default: []\n}"
    assert typescript(schema) == node
    assert declarations(schema) == {"Node": node}
    tools = (ToolDescription("a", "A.", schema), ToolDescription("b", "B.", schema))
    namespace = ToolNamespace("functions", None, tools)
    text = decode(render([Message("developer", DeveloperContent(tools=(namespace,)))]))
    assert text.count(f"type Node = {node};") == 1
    assert is_typescript(text[text.index("namespace") : text.index("<|end|>")])


def test_definitions_that_grow_exponentially_are_named() -> None:
    pair = {
        f"D{at}": {"type": "array", "prefixItems": [{"$ref": f"#/$defs/D{at + 1}"}] * 2}
        for at in range(40)
    }
    definitions: Schema = {**pair, "D40": {"type": "string"}}
    schema = {"$ref": "#/$defs/D0", "$defs": definitions}
    assert typescript(schema) == "[D1, D1]"
    assert declarations(schema)["D39"] == "[D40, D40]"
    few = {name: definitions[name] for name in ("D37", "D38", "D39", "D40")}
    assert typescript({"$ref": "#/$defs/D37", "$defs": few}).count("string") == 8


def test_different_definitions_of_one_name_get_different_names() -> None:
    other = without_titles(Node.model_json_schema())
    other["$defs"]["Node"]["properties"]["value"] = {"type": "string"}
    tools = (
        ToolDescription("a", "A.", without_titles(Node.model_json_schema())),
        ToolDescription("b", "B.", other),
    )
    namespace = ToolNamespace("functions", None, tools)
    text = decode(render([Message("developer", DeveloperContent(tools=(namespace,)))]))
    assert "type Node = {\nvalue: number," in text
    assert "type b_Node = {\nvalue: string,\nchildren?: b_Node[]," in text


def test_a_schema_may_refer_to_its_root() -> None:
    schema = {"type": "object", "properties": {"next": {"$ref": "#"}}}
    assert typescript(schema) == "{\nnext?: Self,\n}"
    assert declarations(schema) == {"Self": "{\nnext?: Self,\n}"}


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({}, "any"),
        ({"const": "x"}, '"x"'),
        ({"const": None}, "null"),
        ({"type": "string", "const": "x"}, '"x"'),
        ({"type": "integer", "enum": [1, 2]}, "1 | 2"),
        ({"enum": ["a", 1, None, True]}, '"a" | 1 | null | true'),
        ({"type": "null"}, "null"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "string | null"),
        ({"anyOf": [{"type": "integer"}, {"type": "number"}]}, "number"),
        ({"allOf": [{"type": "string"}]}, "string"),
        (
            {"allOf": [{"anyOf": [{"type": "string"}, {"type": "number"}]}, {"const": 1}]},
            "(string | number) & 1",
        ),
        (
            {"type": "array", "prefixItems": [{"type": "string"}, {"type": "null"}]},
            "[string, null]",
        ),
        (
            {
                "type": "array",
                "prefixItems": [{"type": "string"}],
                "items": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            },
            "[string, ...(string | null)[]]",
        ),
        ({"type": "array", "items": {"enum": [1, 2]}}, "(1 | 2)[]"),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, "Record<string, number>"),
        ({"type": "object", "additionalProperties": True}, "Record<string, any>"),
        ({"type": "object", "additionalProperties": False}, "{\n}"),
        ({"patternProperties": {"^x": {"type": "string"}}}, "Record<string, string>"),
        (
            {
                "type": "object",
                "properties": {"a": {"type": "string"}},
                "additionalProperties": {"type": "number"},
            },
            "{\na?: string,\n} & Record<string, number>",
        ),
        ({"$ref": "#/$defs/Gone"}, "any"),
        ({"$ref": "https://example.com/schema"}, "any"),
        (
            {"anyOf": [{"type": "string", "description": "A name"}, {"type": "null"}]},
            "string /* A name */ | null",
        ),
        ({"type": "array", "items": False}, "never[]"),
        ({"properties": {"a": True}}, "{\na?: any,\n}"),
    ],
)
def test_types_that_the_reference_does_not_support(schema: Schema, expected: str) -> None:
    assert typescript(schema) == expected
    assert is_typescript(f"type T = {expected};")


def test_supported_types_are_written_as_in_the_reference(
    reference_render: Callable[..., list[int]],
) -> None:
    schema = {
        "type": "object",
        "properties": {
            "several": {"type": "array", "items": {"type": "string", "enum": ["a", "b"]}},
            "flags": {"type": "array", "items": {"type": ["string", "null"]}},
        },
    }
    namespace = ToolNamespace("functions", None, (ToolDescription("f", "F.", schema),))
    messages = [Message("developer", DeveloperContent(tools=(namespace,)))]
    assert render(messages) == reference_render(messages)
    assert 'several?: "a" | "b"[],' in decode(render(messages))


def nested(depth: int, wrap: Callable[[Any], Any]) -> Any:
    schema: Any = {"type": "string"}
    for _ in range(depth):
        schema = wrap(schema)
    return schema


WRAPPERS: dict[str, Callable[[Any], Any]] = {
    "properties": lambda inner: {"type": "object", "properties": {"a": inner}},
    "items": lambda inner: {"type": "array", "items": inner},
    "additionalProperties": lambda inner: {"type": "object", "additionalProperties": inner},
    "allOf": lambda inner: {"allOf": [inner]},
    "anyOf": lambda inner: {"anyOf": [inner, {"type": "null"}]},
    "const": lambda inner: {"const": [inner]},
}


@pytest.mark.parametrize("keyword", WRAPPERS)
def test_a_schema_of_a_thousand_levels_is_cut(keyword: str) -> None:
    schema = nested(1_000, WRAPPERS[keyword])
    assert len(typescript(schema)) < 20_000
    assert turn_grammar(output_schema=schema)


def test_a_long_chain_of_definitions_is_followed() -> None:
    definitions: dict[str, Any] = {f"d{i}": {"$ref": f"#/$defs/d{i + 1}"} for i in range(1_500)}
    definitions["d1500"] = {"type": "string"}
    schema = {"$ref": "#/$defs/d0", "$defs": definitions}
    assert declarations(schema) or typescript(schema)


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        (True, "any"),
        (False, "never"),
        ({"type": "array", "items": [{"type": "string"}, {"type": "integer"}]}, "[string, number]"),
        ({"$ref": "#/$defs/a%20b", "$defs": {"a b": {"type": "integer"}}}, "number"),
        ({"type": "object", "properties": None}, "{\n}"),
        ({"$ref": "#/$defs/none"}, "any"),
        ({"enum": []}, "any"),
        ({"type": "file"}, "any"),
    ],
)
def test_unusual_schemas(schema: Any, text: str) -> None:
    assert typescript(schema) == text

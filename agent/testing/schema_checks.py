"""A check whether a value is valid for a JSON Schema."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any, cast

Schema = Mapping[str, Any] | bool

TYPES = ("null", "boolean", "integer", "number", "string", "array", "object")


class SchemaError(Exception):
    """A part of a schema that cannot be read; the text says which."""


def is_number(value: object) -> bool:
    """Return whether a JSON value is a number; true and false are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def has_type(value: object, name: str) -> bool:
    """Return whether a JSON value has a type of JSON Schema, such as `integer`."""
    match value:
        case None:
            return name == "null"
        case bool():
            return name == "boolean"
        case int() | float():
            return name == "number" or (name == "integer" and value == int(value))
        case str():
            return name == "string"
        case list():
            return name == "array"
        case _:
            return name == "object"


def exact(number: float) -> Fraction:
    """Return a number as it is written, so that 0.3 is a multiple of 0.1."""
    return Fraction(str(number))


def resolve(root: Schema, reference: str) -> Schema:
    """Return the part of a schema that a `$ref` points to.

    Raises SchemaError if it is not in this document.
    """
    if reference != "#" and not reference.startswith("#/"):
        raise SchemaError(f"the reference {reference!r} is not a path in this schema")
    part: Any = root
    for name in reference.split("/")[1:]:
        key = name.replace("~1", "/").replace("~0", "~")
        try:
            index: Any = int(key) if isinstance(part, list) else key
            part = cast("Any", part)[index]
        except (KeyError, IndexError, TypeError, ValueError):
            raise SchemaError(f"the reference {reference!r} points to nothing") from None
    return part  # type: ignore[no-any-return]


def is_valid(root: Schema, schema: Schema, value: Any) -> bool:
    """Return whether a value is valid for a schema. Formats are not checked.

    root: the document that references point into.
    """
    if isinstance(schema, bool):
        return schema
    if "$ref" in schema and not is_valid(root, resolve(root, schema["$ref"]), value):
        return False
    return (
        _is_listed(schema, value)
        and _is_valid_combination(root, schema, value)
        and _is_valid_content(root, schema, value)
    )


def _is_valid_content(root: Schema, schema: Mapping[str, Any], value: Any) -> bool:
    """Check the keywords that are about one type."""
    if has_type(value, "string"):
        return _is_valid_text(schema, value)
    if has_type(value, "array"):
        return _is_valid_array(root, schema, value)
    if has_type(value, "object"):
        return _is_valid_object(root, schema, value)
    return not is_number(value) or _is_valid_number(schema, value)


def is_same(value: Any, other: Any) -> bool:
    """Return whether two JSON values are equal; in Python, true equals 1."""
    return isinstance(value, bool) == isinstance(other, bool) and value == other


def _is_valid_combination(root: Schema, schema: Mapping[str, Any], value: Any) -> bool:
    def count(parts: list[Schema]) -> int:
        return sum(is_valid(root, part, value) for part in parts)

    if "if" in schema:
        branch = "then" if is_valid(root, schema["if"], value) else "else"
        if not is_valid(root, schema.get(branch, True), value):
            return False
    return (
        count(schema.get("allOf", [])) == len(schema.get("allOf", []))
        and ("anyOf" not in schema or count(schema["anyOf"]) > 0)
        and ("oneOf" not in schema or count(schema["oneOf"]) == 1)
        and ("not" not in schema or not is_valid(root, schema["not"], value))
    )


def _is_listed(schema: Mapping[str, Any], value: Any) -> bool:
    """Return whether the value has a type of the schema, and is one of its constants."""
    types = schema.get("type", TYPES)
    names = [types] if isinstance(types, str) else types
    constants = schema.get("enum", [schema["const"]] if "const" in schema else [value])
    return any(has_type(value, name) for name in names) and any(
        is_same(constant, value) for constant in constants
    )


def _is_valid_number(schema: Mapping[str, Any], value: float) -> bool:
    return bool(
        value >= schema.get("minimum", value)
        and value <= schema.get("maximum", value)
        and ("exclusiveMinimum" not in schema or value > schema["exclusiveMinimum"])
        and ("exclusiveMaximum" not in schema or value < schema["exclusiveMaximum"])
        and ("multipleOf" not in schema or exact(value) % exact(schema["multipleOf"]) == 0)
    )


def _is_valid_text(schema: Mapping[str, Any], value: str) -> bool:
    try:
        is_match = "pattern" not in schema or re.search(schema["pattern"], value) is not None
    except re.error:
        return False
    return is_match and _is_within(schema, len(value), "Length")


def _is_valid_array(root: Schema, schema: Mapping[str, Any], value: list[Any]) -> bool:
    first: list[Schema] = schema.get("prefixItems", [])
    parts = [*first, *[schema.get("items", True)] * max(0, len(value) - len(first))]
    is_unique = not any(
        is_same(item, other) for at, item in enumerate(value) for other in value[:at]
    )
    contained = sum(is_valid(root, schema.get("contains", True), item) for item in value)
    return (
        _is_within(schema, len(value), "Items")
        and (is_unique or not schema.get("uniqueItems"))
        and ("contains" not in schema or contained >= schema.get("minContains", 1))
        and ("contains" not in schema or contained <= schema.get("maxContains", contained))
        and all(is_valid(root, part, item) for part, item in zip(parts, value, strict=False))
    )


def _is_valid_object(root: Schema, schema: Mapping[str, Any], value: dict[str, Any]) -> bool:
    dependent: Mapping[str, list[str]] = schema.get("dependentRequired", {})
    required = [*schema.get("required", []), *(n for k in value for n in dependent.get(k, []))]
    return (
        _is_within(schema, len(value), "Properties")
        and all(name in value for name in required)
        and all(is_valid(root, schema.get("propertyNames", True), name) for name in value)
        and all(
            is_valid(root, part, item)
            for name, item in value.items()
            for part in property_schemas(schema, name)
        )
    )


def property_schemas(schema: Mapping[str, Any], name: str) -> list[Schema]:
    """Return the schemas that a property must match."""
    found: list[Schema] = []
    if name in schema.get("properties", {}):
        found.append(schema["properties"][name])
    patterns: Mapping[str, Schema] = schema.get("patternProperties", {})
    found += [part for pattern, part in patterns.items() if re.search(pattern, name)]
    return found or [schema.get("additionalProperties", True)]


def _is_within(schema: Mapping[str, Any], count: int, what: str) -> bool:
    return bool(schema.get(f"min{what}", 0) <= count <= schema.get(f"max{what}", count))

"""An answer while it is written: the part of it that is there, validated.

Pydantic validates partial JSON where nothing is required. So a model, a dataclass and a TypedDict
are read as dicts here, of the fields that have come, keyed as the answer has them; their values
are of the asked types. The user's own validators expect whole values, and judge the whole answer
alone.
Source: pydantic, "Partial validation".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

from pydantic_core import SchemaValidator

STEP = 64
"""An answer is read again when it has grown by one part in that many: what a long one costs in all
grows with its length alone."""
_FENCE = re.compile(r"\A\s*```\w*\s*")

_AROUND = frozenset({"model", "dataclass", "default", "function-after", "function-wrap"})
"""Core schemas that only add to the one inside them: a class, a default, a judge."""
_OBJECTS = frozenset({"model-fields", "dataclass-args", "typed-dict"})
_WITHIN = frozenset(
    {"schema", "items_schema", "keys_schema", "values_schema", "choices", "steps", "definitions"}
    | {"lax_schema", "strict_schema", "json_schema", "python_schema"}
)
"""Keys of a core schema under which others stand. Source: `pydantic_core.core_schema`."""

Schema = dict[str, Any]


class PartialAnswer:
    """Reads one answer as it grows."""

    def __init__(self, validator: SchemaValidator) -> None:
        self._validator = validator
        self._text = ""
        self._read = 0
        self._last: Any = None

    def feed(self, text: str) -> Any:
        """The answer so far, if it tells more than before; None otherwise.

        text: what has come since, shape (n characters,).
        """
        self._text += text
        if len(self._text) - self._read <= self._read // STEP:
            return None
        self._read = len(self._text)
        value = self._value()
        if value == self._last:
            return None
        self._last = value
        return value

    def _value(self) -> Any:
        json = _FENCE.sub("", self._text)
        try:
            return self._validator.validate_json(json, allow_partial="trailing-strings")
        except Exception:  # noqa: BLE001 - a user's validator may trip over half a value in any way
            return self._last


def partial_validator(schema: Any) -> SchemaValidator:
    """A validator of unfinished answers.

    schema: the core schema of the whole, `TypeAdapter(...).core_schema`.
    """
    return SchemaValidator(cast("Any", _loose(schema)))


def _loose(schema: Schema) -> Schema:
    """The schema with dicts for objects, where nothing is required and nothing is filled in."""
    kind = schema["type"]
    if kind in _AROUND:
        return _loose({**schema["schema"], **_reference(schema)})
    if kind in _OBJECTS:
        fields = dict(_field(*named) for named in _named(schema["fields"]).items())
        return {"type": "typed-dict", "total": False, "fields": fields, **_reference(schema)}
    return {key: _each(one) if key in _WITHIN else one for key, one in schema.items()}


def _each(within: Any) -> Any:
    """A schema, or schemas in a list, by name, or with a label, as core schemas hold them."""
    if isinstance(within, list | tuple):
        many = cast("Sequence[Any]", within)
        return type(many)(map(_each, many))  # type: ignore[call-arg]
    if not isinstance(within, dict):
        return within
    one = cast("Schema", within)
    if isinstance(one.get("type"), str):
        return _loose(one)
    return {name: _each(schema) for name, schema in one.items()}


def _named(fields: Mapping[str, Schema] | Sequence[Schema]) -> Mapping[str, Schema]:
    """Fields by name; a dataclass lists its own."""
    return fields if isinstance(fields, Mapping) else {field["name"]: field for field in fields}


def _field(name: str, field: Schema) -> tuple[str, Schema]:
    """A field that need not have come yet, under the key that the answer has it under."""
    alias = field.get("validation_alias", name)
    partial = {"type": "typed-dict-field", "required": False, "schema": _loose(field["schema"])}
    if isinstance(alias, str):
        return alias, partial
    return name, {**partial, "validation_alias": alias}


def _reference(schema: Schema) -> Schema:
    """The name by which other schemas refer to this one."""
    return {"ref": schema["ref"]} if "ref" in schema else {}

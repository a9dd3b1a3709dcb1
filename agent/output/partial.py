"""Validation of an answer that is still being written.

Pydantic can validate incomplete JSON if no field is required. Therefore models, dataclasses and
TypedDicts become dicts here. A dict has the fields that are complete or have begun, under the keys
that the answer uses; the values have their declared types. The user's own validators expect
complete values, so they run only on the complete answer.
Source: pydantic, "Partial validation".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

from pydantic_core import SchemaValidator

STEP = 64
"""The answer is validated again when it has grown by 1/STEP, so the total cost of a long answer
is proportional to its length."""
_FENCE = re.compile(r"\A\s*```\w*\s*")

_WRAPPERS = frozenset({"model", "dataclass", "default", "function-after", "function-wrap"})
"""Core schemas that only add a class, a default or a validator to the schema inside them."""
_OBJECTS = frozenset({"model-fields", "dataclass-args", "typed-dict"})
_NESTED = frozenset(
    {"schema", "items_schema", "keys_schema", "values_schema", "choices", "steps", "definitions"}
    | {"lax_schema", "strict_schema", "json_schema", "python_schema"}
)
"""Keys of a core schema whose values are schemas. Source: `pydantic_core.core_schema`."""

Schema = dict[str, Any]


class PartialAnswer:
    """One answer that is still being written."""

    def __init__(self, validator: SchemaValidator) -> None:
        self._validator = validator
        self._text = ""
        self._validated_chars = 0
        self._value: Any = None

    def feed(self, text: str) -> Any:
        """Add text, and return the value of the answer so far; None if it has not changed.

        text: the new text, shape (n characters,).
        """
        self._text += text
        if len(self._text) - self._validated_chars <= self._validated_chars // STEP:
            return None
        self._validated_chars = len(self._text)
        value = self._validate()
        if value == self._value:
            return None
        self._value = value
        return value

    def _validate(self) -> Any:
        json = _FENCE.sub("", self._text)
        try:
            return self._validator.validate_json(json, allow_partial="trailing-strings")
        except Exception:  # noqa: BLE001 - a user's validator may raise anything for partial values
            return self._value


def partial_validator(schema: Any) -> SchemaValidator:
    """Return a validator for incomplete answers.

    schema: the core schema of the complete answer, `TypeAdapter(...).core_schema`.
    """
    return SchemaValidator(cast("Any", _relax(schema)))


def _relax(schema: Schema) -> Schema:
    """Return a schema with dicts for objects, without required fields and defaults."""
    kind = schema["type"]
    if kind in _WRAPPERS:
        return _relax({**schema["schema"], **_reference(schema)})
    if kind in _OBJECTS:
        named = _fields_by_name(schema["fields"])
        fields = dict(_optional_field(name, field) for name, field in named.items())
        return {"type": "typed-dict", "total": False, "fields": fields, **_reference(schema)}
    return {key: _relax_nested(value) if key in _NESTED else value for key, value in schema.items()}


def _relax_nested(value: Any) -> Any:
    """Relax a schema, or the schemas in a list, dict or labeled pair of a core schema."""
    if isinstance(value, list | tuple):
        values = cast("Sequence[Any]", value)
        return type(values)(map(_relax_nested, values))  # type: ignore[call-arg]
    if not isinstance(value, dict):
        return value
    schema = cast("Schema", value)
    if isinstance(schema.get("type"), str):
        return _relax(schema)
    return {name: _relax_nested(nested) for name, nested in schema.items()}


def _fields_by_name(fields: Mapping[str, Schema] | Sequence[Schema]) -> Mapping[str, Schema]:
    """Return fields by name. The schema of a dataclass has them in a list."""
    return fields if isinstance(fields, Mapping) else {field["name"]: field for field in fields}


def _optional_field(name: str, field: Schema) -> tuple[str, Schema]:
    """Return a field that is not required, with the key that the answer uses."""
    alias = field.get("validation_alias", name)
    optional = {"type": "typed-dict-field", "required": False, "schema": _relax(field["schema"])}
    if isinstance(alias, str):
        return alias, optional
    return name, {**optional, "validation_alias": alias}


def _reference(schema: Schema) -> Schema:
    """Return the name by which other schemas refer to this one, if it has one."""
    return {"ref": schema["ref"]} if "ref" in schema else {}

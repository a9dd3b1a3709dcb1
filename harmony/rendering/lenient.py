"""Lenient reading of JSON: a schema may have anything at any place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeGuard, cast

Schema = Mapping[str, Any]


def is_mapping(value: object) -> TypeGuard[Schema]:
    """Tell whether a value is a JSON object."""
    return isinstance(value, Mapping)


def is_listing(value: object) -> TypeGuard[list[Any]]:
    """Tell whether a value is a JSON array."""
    return isinstance(value, list)


def mapping(value: Any) -> Schema:
    """Return the value if it is a JSON object, else an empty one."""
    return cast("Schema", value) if isinstance(value, Mapping) else {}


def listing(value: Any) -> list[Any]:
    """Return the value if it is a JSON array, else an empty one."""
    return list(cast("list[Any]", value)) if isinstance(value, list | tuple) else []

"""Text that can be encoded. Python reads lone surrogates from JSON escapes and file names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

_MAX_DEPTH = 100
T = TypeVar("T")


def replace_surrogates(text: str) -> str:
    """Return text that can be encoded: two halves of a character are joined, others are U+FFFD."""
    try:
        if not text.isascii():
            text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def encodable(value: T, depth: int = 0) -> T:
    """Return JSON-like data in which all texts can be encoded; the same object if they can."""
    if isinstance(value, str):
        return cast("T", replace_surrogates(value))
    if depth > _MAX_DEPTH:
        return value
    if isinstance(value, Mapping):
        pairs = [
            (encodable(key), encodable(item, depth + 1))
            for key, item in cast("Mapping[Any, Any]", value).items()
        ]
        changed: Any = dict(pairs)
    elif isinstance(value, list | tuple):
        items = [encodable(item, depth + 1) for item in cast("list[Any]", value)]
        changed = items if isinstance(value, list) else tuple(items)
    else:
        return value
    return value if changed == value else cast("T", changed)

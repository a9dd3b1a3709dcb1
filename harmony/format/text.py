"""Text that can be encoded. Python reads lone surrogates from JSON escapes and file names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

_MAX_DEPTH = 100


def replace_surrogates(text: str) -> str:
    """Return text that can be encoded: two halves of a character are joined, others are U+FFFD."""
    try:
        if not text.isascii():
            text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def encodable(value: Any, depth: int = 0) -> Any:
    """Return JSON-like data in which all texts can be encoded; the same object if they can."""
    if isinstance(value, str):
        return replace_surrogates(value)
    if depth > _MAX_DEPTH or not isinstance(value, Mapping | list | tuple):
        return value
    is_object = isinstance(value, Mapping)
    data = cast("Any", value)
    if is_object:
        changed: Any = {encodable(key): encodable(data[key], depth + 1) for key in data}
    else:
        changed = type(data)([encodable(item, depth + 1) for item in data])
    return data if changed == data else changed

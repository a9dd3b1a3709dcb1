"""What a function returned, in words for the model."""

from __future__ import annotations

from typing import Any

from pydantic_core import to_json

from .contract import Result

EMPTY = "(the call succeeded; it returned nothing)"


def as_result(value: Any) -> Result:
    """A str as it is, nothing as words, and everything else as JSON."""
    if isinstance(value, Result):
        return value
    if value is None or value == "":
        return Result(EMPTY)
    if isinstance(value, str):
        return Result(value)
    return Result(to_json(value).decode())

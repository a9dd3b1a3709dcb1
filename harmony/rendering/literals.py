"""JSON values in comments and literal types, written as openai-harmony writes them."""

from __future__ import annotations

import json
import re
from typing import Any

from .lenient import listing, mapping

_MAX_DEPTH = 100
_EXPONENT = re.compile(r"(-?)(\d)(?:\.(\d+))?e([+-]\d+)")


def literal(value: Any, depth: int = 0) -> str:
    """Return compact JSON, with numbers in the form of Rust's serde_json.

    What is nested too deeply becomes `null`.
    """
    if depth > _MAX_DEPTH:
        return "null"
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, dict):
        items = (
            f"{literal(key)}:{literal(item, depth + 1)}" for key, item in mapping(value).items()
        )
        return "{" + ",".join(items) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(literal(item, depth + 1) for item in listing(value)) + "]"
    if isinstance(value, int) and -(2**63) <= value < 2**64:
        return str(value)
    return _number(float(value))


def _number(value: float) -> str:
    text = json.dumps(value)
    parts = _EXPONENT.fullmatch(text)
    if not parts:
        return text
    sign, whole, digits, exponent = parts.groups(default="")
    if exponent == "-05":
        return f"{sign}0.0000{whole}{digits}"
    point = f".{digits}" if digits else ""
    return f"{sign}{whole}{point}e{int(exponent)}"

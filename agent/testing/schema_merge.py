"""The combination of two JSON Schemas that a value must both match."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from .schema_checks import Schema, exact


def merge(first: Schema, second: Schema) -> Schema:
    """Return a schema that allows little more than what both allow; the caller checks values."""
    if isinstance(first, bool) or isinstance(second, bool):
        return (second if first is True else first) if second is not False else False
    merged = dict(first)
    for key, value in second.items():
        if key not in merged:
            merged[key] = value
        elif key in {"properties", "patternProperties", "$defs"}:
            merged[key] = {
                name: _both(merged[key][name], value[name]) if name in value else merged[key][name]
                for name in merged[key]
            } | {name: part for name, part in value.items() if name not in merged[key]}
        elif key in {"items", "additionalProperties", "propertyNames"}:
            merged[key] = _both(merged[key], value)
        else:
            merged[key] = _merge_keyword(key, merged[key], value)
    return merged


def _both(first: Schema, second: Schema) -> Schema:
    return first if first == second else {"allOf": [first, second]}


def _merge_keyword(key: str, first: Any, second: Any) -> Any:
    match key:
        case "required" | "allOf":
            return [*first, *(item for item in second if item not in first)]
        case "enum":
            return [item for item in first if item in second]
        case "type":
            return _common_types(first, second)
        case "multipleOf":
            return _common_multiple(exact(first), exact(second))
        case _:
            return _merge_bound(key, first, second)


def _merge_bound(key: str, first: Any, second: Any) -> Any:
    if key.startswith(("min", "exclusiveMin")):
        return max(first, second)
    return min(first, second) if key.startswith(("max", "exclusiveMax")) else second


def _common_multiple(first: Fraction, second: Fraction) -> float:
    common = Fraction(
        math.lcm(first.numerator * second.denominator, second.numerator * first.denominator),
        first.denominator * second.denominator,
    )
    return int(common) if common.denominator == 1 else float(common)


def _common_types(first: str | list[str], second: str | list[str]) -> list[str]:
    both = [[names] if isinstance(names, str) else names for names in (first, second)]
    common = [name for name in both[0] if name in both[1]]
    if not common and any("integer" in names for names in both):
        common = ["integer"] if all({"integer", "number"} & set(names) for names in both) else []
    return common

"""What the keywords of schemas say, read leniently: a schema may have anything as their values."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from typing import Any

from ..rendering import Located, is_mapping, listing, mapping
from .alternatives import Parts
from .container_rules import WS
from .ebnf import either, literal
from .string_rules import json_text

TYPES = ("object", "array", "string", "number", "integer", "boolean", "null")
_CONSTRAINTS = frozenset(
    {
        "additionalItems",
        "additionalProperties",
        "const",
        "enum",
        "exclusiveMaximum",
        "exclusiveMinimum",
        "format",
        "items",
        "maxItems",
        "maximum",
        "minItems",
        "minimum",
        "pattern",
        "patternProperties",
        "prefixItems",
        "properties",
        "propertyNames",
        "required",
        "type",
    }
)
"""The keywords that rules express, apart from references and combinations."""
_MAX_EXACT = 10**16
_MAX_DEPTH = 50

# The forms that JSON Schema and pydantic have in common, and those that only one of them accepts.
_DATE = "[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_TIME = "([01][0-9]|2[0-3]):[0-5][0-9](:([0-5][0-9]|60)([.][0-9]+)?)?([zZ]|[+-][0-9]{2}:?[0-9]{2})?"
FORMATS = {
    "date": f"^{_DATE}$",
    "time": f"^{_TIME}$",
    "date-time": f"^{_DATE}[tT ]{_TIME}$",
    "duration": "^[+-]?P([0-9]+([.,][0-9]+)?[YMWD])*(T([0-9]+([.,][0-9]+)?[HMS])*)?$",
    "uuid": "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$",
    "ipv4": "^[0-9]{1,3}([.][0-9]{1,3}){3}$",
    "ipv6": "^[0-9a-fA-F:.]+$",
    "email": "^.+@.+$",
    "uri": "^[A-Za-z][A-Za-z0-9+.-]*:",
}
"""What every text of a format matches. The other formats are left to validation."""


def is_constrained(part: Located) -> bool:
    """Tell whether a schema says anything about its values, apart from its combinations."""
    return not _CONSTRAINTS.isdisjoint(part.schema)


def named_schemas(part: Located, key: str) -> Mapping[str, Any]:
    """Return the schemas of a keyword such as `properties`, by name."""
    found = part.schema.get(key)
    return found if is_mapping(found) else {}


def types(parts: Parts) -> list[str]:
    """Return the types that a value may have, in a fixed order; `number` includes `integer`."""
    allowed = set(TYPES)
    for part in parts:
        declared = part.schema.get("type")
        names = {declared} if isinstance(declared, str) else set(_texts(declared))
        if "number" in names:
            names |= {"integer"}
        if names and names <= set(TYPES):
            allowed &= names
    if "number" in allowed:
        allowed.discard("integer")
    return [name for name in TYPES if name in allowed]


def patterns(parts: Parts) -> list[str]:
    """Return the patterns that a string must match."""
    found = [pattern for part in parts if isinstance(pattern := part.schema.get("pattern"), str)]
    formats = (part.schema.get("format") for part in parts)
    return [
        *found,
        *(FORMATS[name] for name in formats if isinstance(name, str) and name in FORMATS),
    ]


def bounds(parts: Parts, *, whole: bool) -> tuple[Fraction | None, Fraction | None]:
    """Return the lowest and the highest number that is allowed; None means no bound.

    whole: whether the numbers are integers; for these, an exclusive bound becomes an inclusive one.
    """
    lows, highs = list[Fraction](), list[Fraction]()
    for part in parts:
        lows += _bounds(part.schema, "minimum", "exclusiveMinimum", 1 if whole else 0)
        upper = _bounds(part.schema, "maximum", "exclusiveMaximum", 1 if whole else 0, -1)
        highs += (-bound for bound in upper)
    return max(lows, default=None), min(highs, default=None)


def _bounds(
    schema: Any, inclusive: str, exclusive: str, step: int, sign: int = 1
) -> Iterable[Fraction]:
    """Yield lower bounds, or upper bounds if the sign is -1; these are negated."""
    limit, beyond = _number(schema.get(inclusive)), schema.get(exclusive)
    if beyond is True:
        # In draft 4 it is a flag of the other keyword.
        limit, beyond = None, schema.get(inclusive)
    if limit is not None:
        yield sign * limit
    if (limit := _number(beyond)) is not None:
        yield math.floor(sign * limit) + Fraction(step) if step else sign * limit


def _number(value: object) -> Fraction | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return Fraction(value) if math.isfinite(value) else None


def count(parts: Parts, key: str, strictest: Callable[[Iterable[int]], int]) -> int | None:
    """Return the strictest of the numbers of a keyword such as `minItems`; None without any."""
    found = [
        int(value)
        for part in parts
        if (value := _number(part.schema.get(key))) is not None and value >= 0
    ]
    return strictest(found) if found else None


def listed_values(parts: Parts) -> list[Any] | None:
    """Return the values that `enum` and `const` allow; None if there is neither."""
    allowed: list[Any] | None = None
    for part in parts:
        lists = [part.schema["enum"]] if isinstance(part.schema.get("enum"), list) else []
        lists += [[part.schema["const"]]] if "const" in part.schema else []
        for values in lists:
            keys = set(map(_key, values))
            known = values if allowed is None else allowed
            allowed = [value for value in known if _key(value) in keys]
    if allowed is None:
        return None
    names = set(types(parts))
    if "number" in names:
        names.add("integer")
    return [value for value in allowed if _type(value) in names]


def value_expression(value: Any, depth: int = 0) -> str | None:
    """Return the expression of one JSON value; None if it is nested too deeply."""
    if depth > _MAX_DEPTH:
        return None
    match value:
        case str():
            return literal(json_text(value))
        case None | bool():
            return literal(json.dumps(value))
        case int() | float():
            return _number_expression(value)
        case list():
            return _enclosed("[", "]", [value_expression(i, depth + 1) for i in listing(value)])
        case _:
            members = mapping(value).items()
            return _enclosed("{", "}", [_member(name, inner, depth) for name, inner in members])


def _member(name: str, value: Any, depth: int) -> str | None:
    written = value_expression(value, depth + 1)
    return written and f'{literal(json_text(name))} {WS} ":" {WS} {written}'


def _enclosed(opening: str, closing: str, items: list[str | None]) -> str | None:
    if None in items:
        return None
    inner = f' {WS} "," {WS} '.join(item for item in items if item)
    return f'"{opening}" {WS} {inner} {WS} "{closing}"'


def _number_expression(value: float) -> str | None:
    if not math.isfinite(value):
        return None
    written = [literal(json.dumps(value))]
    if value == int(value) and abs(value) < _MAX_EXACT:
        written = [f'{literal(str(int(value)))} ("." "0")?']
    return either(written)


def _type(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "integer" if math.isfinite(value) and value == int(value) else "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


def _key(value: Any) -> str:
    """Return a text that is equal for values that JSON Schema considers equal.

    It may also be equal for values that differ only where they are nested deeply.
    """
    return json.dumps(_normal(value), sort_keys=True, default=str)


def _normal(value: Any, depth: int = 0) -> Any:
    if depth > _MAX_DEPTH:
        return None
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_normal(item, depth + 1) for item in listing(value)]
    if is_mapping(value):
        return {name: _normal(inner, depth + 1) for name, inner in value.items()}
    return value


def _texts(value: object) -> list[str]:
    return [item for item in listing(value) if isinstance(item, str)]

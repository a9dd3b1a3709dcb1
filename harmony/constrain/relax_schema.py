"""Relaxation of JSON Schemas to what the grammar engine can express."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

MAX_ITEMS = 1024
"""The highest array bound to keep; a grammar with higher ones takes seconds to compile."""

_INT64 = 2**63 - 1
_UNSUPPORTED_PATTERN = re.compile(r"\\[pPbBAZzkG1-9]|\(\?(?!:)|[*+?}][+]")
"""Unicode classes, boundaries, backreferences, groups other than `(?:`, possessive repeats."""
_ITEMS = frozenset({"minItems", "maxItems"})
_BOUNDS = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"})
_SCHEMA = frozenset({"items", "additionalProperties", "contains", "propertyNames"})
_SCHEMAS = frozenset({"anyOf", "oneOf", "allOf", "prefixItems"})
_NAMED_SCHEMAS = frozenset({"properties", "patternProperties", "$defs", "definitions"})


def relax_schema(schema: Mapping[str, Any] | bool) -> Any:
    """Return the schema without what the grammar engine rejects or compiles too slowly.

    Removed are patterns beyond plain regular expressions, bounds beyond 64-bit integers, array
    bounds above 1,024, references to other documents, properties whose schema is false, and
    lengths of strings: xgrammar ignores those when it excludes control tokens. Definitions are
    renamed so that a reference needs no escapes. The result allows everything that the schema
    allows, and may allow more, so validate what was sampled.
    """
    if isinstance(schema, bool):
        return {}
    relaxed: dict[str, Any] = {}
    for key, value in schema.items():
        if key in _SCHEMA:
            relaxed[key] = value if isinstance(value, bool) else relax_schema(value)
        elif key in _SCHEMAS:
            relaxed[key] = [relax_schema(part) for part in value]
        elif key in _NAMED_SCHEMAS:
            relaxed[key] = {
                _escape(name) if key in {"$defs", "definitions"} else name: relax_schema(part)
                for name, part in value.items()
                if part is not False
            }
        elif key == "$ref" and value.startswith("#"):
            relaxed[key] = "/".join(_escape(part) for part in value.split("/"))
        elif _is_expressible(key, value):
            relaxed[key] = value
    return relaxed


def _is_expressible(key: str, value: Any) -> bool:
    if key == "pattern":
        return _UNSUPPORTED_PATTERN.search(value) is None
    if key in _ITEMS:
        return bool(value <= MAX_ITEMS)
    if key in _BOUNDS:
        return bool(abs(value) <= _INT64)
    return key not in {"$ref", "not", "minLength", "maxLength"}


def _escape(name: str) -> str:
    """Return the name of a definition without characters that a JSON pointer would escape."""
    unescaped = name.replace("~1", "/").replace("~0", "~")
    return re.sub(r"[^\w$#.-]", lambda match: f"_x{ord(match[0]):x}_", unescaped)

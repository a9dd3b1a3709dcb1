"""JSON Schemas as far as the grammar engine can express them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

MOST = 1024
"""Longer bounds on arrays make a grammar that takes seconds to compile."""

_INT64 = 2**63 - 1
_NOT_IN_GRAMMARS = re.compile(r"\\[pPbBAZzkG1-9]|\(\?(?!:)|[*+?}][+]")
"""Unicode classes, boundaries, back-references, groups other than `(?:`, possessive repeats."""
_ITEMS = frozenset({"minItems", "maxItems"})
_BOUNDS = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"})
_SCHEMA = frozenset({"items", "additionalProperties", "contains", "propertyNames"})
_SCHEMAS = frozenset({"anyOf", "oneOf", "allOf", "prefixItems"})
_NAMED_SCHEMAS = frozenset({"properties", "patternProperties", "$defs", "definitions"})


def relax_schema(schema: Mapping[str, Any] | bool) -> Any:
    """The schema without what the grammar engine would refuse or take seconds for.

    What goes: patterns that are more than plain regular expressions, bounds beyond 64-bit
    integers, lengths of strings, which xgrammar ignores where it keeps control tokens out of them,
    arrays beyond 1,024, references to other documents, properties that may never be.
    Definitions get names that a reference can spell. The result admits all that the schema admits,
    and perhaps more: what was sampled is still to be validated.
    """
    if isinstance(schema, bool):
        return {}
    loose: dict[str, Any] = {}
    for key, value in schema.items():
        if key in _SCHEMA:
            loose[key] = value if isinstance(value, bool) else relax_schema(value)
        elif key in _SCHEMAS:
            loose[key] = [relax_schema(one) for one in value]
        elif key in _NAMED_SCHEMAS:
            loose[key] = {
                _plain(name) if key in {"$defs", "definitions"} else name: relax_schema(one)
                for name, one in value.items()
                if one is not False
            }
        elif key == "$ref" and value.startswith("#"):
            loose[key] = "/".join(_plain(part) for part in value.split("/"))
        elif _is_expressible(key, value):
            loose[key] = value
    return loose


def _is_expressible(key: str, value: Any) -> bool:
    if key == "pattern":
        return _NOT_IN_GRAMMARS.search(value) is None
    if key in _ITEMS:
        return bool(value <= MOST)
    if key in _BOUNDS:
        return bool(abs(value) <= _INT64)
    return key not in {"$ref", "not", "minLength", "maxLength"}


def _plain(name: str) -> str:
    """A definition's name without characters that a JSON pointer would escape."""
    spelled = name.replace("~1", "/").replace("~0", "~")
    return re.sub(r"[^\w$#.-]", lambda found: f"_x{ord(found[0]):x}_", spelled)

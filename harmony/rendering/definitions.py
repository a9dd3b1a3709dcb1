"""Resolution of the `$ref`s in a JSON Schema, and names for recursive definitions."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any, cast

Schema = Mapping[str, Any]

MAX_EXPANDED = 500
"""The most definitions to expand in place: nested definitions can grow exponentially."""


def mapping(value: Any) -> Schema:
    """Return the value if it is a JSON object, else an empty one."""
    return cast("Schema", value) if isinstance(value, Mapping) else {}


def listing(value: Any) -> list[Any]:
    """Return the value if it is a JSON array, else an empty one."""
    return list(cast("list[Any]", value)) if isinstance(value, list | tuple) else []


class Definitions:
    """The definitions that one schema refers to."""

    def __init__(self, root: Schema, prefix: str = "") -> None:
        self._root = root
        self._nested = {ref: _refs(self.resolve(ref)) for ref in _refs(root)}
        named = {ref for ref in self._nested if self._is_recursive(ref)}
        if self._expanded_count(named) > MAX_EXPANDED:
            uses = sum(map(Counter, self._nested.values()), Counter(_refs(root)))
            named |= {ref for ref in uses if uses[ref] > 1}
        self.named = {ref: prefix + _name(ref) for ref in sorted(named)}
        """The names of the definitions that are not expanded in place, by reference."""

    def resolve(self, ref: str) -> Schema | None:
        """Return the schema that a reference such as `#/$defs/Address` points to, if it exists."""
        target: Any = self._root
        if ref != "#" and not ref.startswith("#/"):
            return None
        for part in ref.split("/")[1:]:
            key = part.replace("~1", "/").replace("~0", "~")
            if isinstance(target, list) and key.isdigit() and int(key) < len(listing(target)):
                target = listing(target)[int(key)]
            elif key in mapping(target):
                target = mapping(target)[key]
            else:
                return None
        return mapping(target) if isinstance(target, Mapping) else None

    def _is_recursive(self, ref: str) -> bool:
        """Return whether a definition contains itself."""
        seen: set[str] = set()
        pending = [*self._nested[ref]]
        while pending:
            other = pending.pop()
            if other not in seen:
                seen.add(other)
                pending += self._nested.get(other, ())
        return ref in seen

    def _expanded_count(self, named: set[str]) -> int:
        """Return how many definitions are expanded in place if only these are named."""
        sizes = dict.fromkeys(named, 0)

        def size(ref: str) -> int:
            if ref not in sizes:
                sizes[ref] = 1 + sum(map(size, self._nested.get(ref, ())))
            return sizes[ref]

        return sum(map(size, _refs(self._root)))


def _refs(schema: Schema | None) -> list[str]:
    """Return all references inside a schema, with repetitions."""
    refs: list[str] = []
    pending: list[Any] = [schema]
    while pending:
        value = pending.pop()
        if isinstance(ref := mapping(value).get("$ref"), str):
            refs.append(ref)
        pending += [*mapping(value).values(), *listing(value)]
    return refs


def _name(ref: str) -> str:
    """Return a TypeScript name for a definition."""
    return re.sub(r"\W+", "_", ref.rpartition("/")[2]).strip("_") or "Self"

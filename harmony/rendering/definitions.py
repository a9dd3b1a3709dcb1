"""Resolution of the `$ref`s in a JSON Schema, and names for recursive definitions."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from .lenient import Schema, is_mapping, listing, mapping
from .references import References

MAX_EXPANDED = 500
"""The most definitions to expand in place: nested definitions can grow exponentially."""


class Definitions:
    """The definitions that one schema refers to."""

    def __init__(self, root: Schema, prefix: str = "") -> None:
        self._root = root
        self._references = References(root)
        self._nested = {ref: _refs(self.resolve(ref)) for ref in _refs(root)}
        named = {ref for ref in self._nested if self._is_recursive(ref)}
        if self._expanded_count(named) > MAX_EXPANDED:
            uses = sum(map(Counter, self._nested.values()), Counter(_refs(root)))
            named |= {ref for ref in uses if uses[ref] > 1}
        self.named = {ref: prefix + _name(ref) for ref in sorted(named)}
        """The names of the definitions that are not expanded in place, by reference."""

    def resolve(self, ref: str) -> Schema | None:
        """Return the schema that a reference such as `#/$defs/Address` points to, if it exists."""
        found = self._references.resolve(ref, self._references.root.base)
        return found.schema if found and is_mapping(found.schema) else None

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
        # Not by recursion: a chain of definitions can be long.
        pending = _refs(self._root)
        while pending:
            ref = pending[-1]
            inner = self._nested.get(ref, ())
            if ref not in sizes and (unknown := [other for other in inner if other not in sizes]):
                pending += unknown
                continue
            pending.pop()
            if ref not in sizes:
                sizes[ref] = 1 + sum(map(sizes.__getitem__, inner))
        return sum(map(sizes.__getitem__, _refs(self._root)))


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

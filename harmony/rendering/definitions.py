"""The `$ref`s of a JSON Schema: where they lead, and which of them are better named."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any, cast

Schema = Mapping[str, Any]

LARGE = 500
"""More definitions than that are not written out: definitions of definitions of definitions
grow beyond all bounds."""


def mapping(value: Any) -> Schema:
    """The value as a JSON object; an empty one if it is none."""
    return cast("Schema", value) if isinstance(value, Mapping) else {}


def listing(value: Any) -> list[Any]:
    """The value as a JSON array; an empty one if it is none."""
    return list(cast("list[Any]", value)) if isinstance(value, list | tuple) else []


class Definitions:
    """Resolves the references inside one schema."""

    def __init__(self, root: Schema, prefix: str = "") -> None:
        self._root = root
        self._inner = {ref: _refs(self.resolve(ref)) for ref in _refs(root)}
        named = {ref for ref in self._inner if self._returns(ref)}
        if self._size(named) > LARGE:
            uses = sum((Counter(one) for one in self._inner.values()), Counter(_refs(root)))
            named |= {ref for ref in uses if uses[ref] > 1}
        self.named = {ref: prefix + _name(ref) for ref in sorted(named)}
        """What to call the definitions that are not written out where they are referred to."""

    def resolve(self, ref: str) -> Schema | None:
        """What a reference such as `#/$defs/Address` means; None if there is no such place."""
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

    def _returns(self, ref: str) -> bool:
        """Whether a definition leads back to itself."""
        seen: set[str] = set()
        todo = [*self._inner[ref]]
        while todo:
            one = todo.pop()
            if one not in seen:
                seen.add(one)
                todo += self._inner.get(one, ())
        return ref in seen

    def _size(self, named: set[str]) -> int:
        """How many definitions are written out, if none but those are named."""
        sizes = dict.fromkeys(named, 0)

        def size(ref: str) -> int:
            if ref not in sizes:
                sizes[ref] = 1 + sum(map(size, self._inner.get(ref, ())))
            return sizes[ref]

        return sum(map(size, _refs(self._root)))


def _refs(schema: Schema | None) -> list[str]:
    """Every reference inside a schema, as often as it occurs."""
    found: list[str] = []
    todo: list[Any] = [schema]
    while todo:
        one = todo.pop()
        if isinstance(ref := mapping(one).get("$ref"), str):
            found.append(ref)
        todo += [*mapping(one).values(), *listing(one)]
    return found


def _name(ref: str) -> str:
    """A TypeScript name for a definition."""
    return re.sub(r"\W+", "_", ref.rpartition("/")[2]).strip("_") or "Self"

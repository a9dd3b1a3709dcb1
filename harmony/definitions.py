"""The `$ref`s of a JSON Schema: where they lead, and which of them lead back."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

Schema = Mapping[str, Any]


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
        self.recursive = {ref: prefix + _name(ref) for ref in sorted(self._refs_that_return())}
        """References to definitions that contain themselves, and what to call those."""

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

    def _refs_that_return(self) -> Iterator[str]:
        inner = {ref: _refs(self.resolve(ref)) for ref in _refs(self._root)}
        for ref, direct in inner.items():
            seen: set[str] = set()
            todo = [*direct]
            while todo:
                one = todo.pop()
                if one not in seen:
                    seen.add(one)
                    todo += inner.get(one, ())
            if ref in seen:
                yield ref


def _refs(schema: Schema | None) -> set[str]:
    """Every reference inside a schema."""
    found: set[str] = set()
    todo: list[Any] = [schema]
    while todo:
        one = todo.pop()
        if isinstance(ref := mapping(one).get("$ref"), str):
            found.add(ref)
        todo += [*mapping(one).values(), *listing(one)]
    return found


def _name(ref: str) -> str:
    """A TypeScript name for a definition."""
    return re.sub(r"\W+", "_", ref.rpartition("/")[2]).strip("_") or "Self"

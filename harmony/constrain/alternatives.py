"""Schemas as alternatives: what is left of references, allOf, anyOf and oneOf."""

from __future__ import annotations

from collections.abc import Iterable

from ..rendering import Located, References, is_mapping, listing

Parts = tuple[Located, ...]
"""Schemas that a value must all match."""
_MAX_ALTERNATIVES = 64
_MAX_DEPTH = 40
_MAX_EXPANSIONS = 20_000
_NULL = {"type": "null"}


class Expansion:
    """The expansion of the schemas of one document.

    A value that matches a schema matches all parts of one of its alternatives, by the keywords of
    these parts other than references and combinations. The converse need not hold: `not`,
    conditions, and whatever would make too many alternatives, are left to validation.
    """

    def __init__(self, references: References) -> None:
        self._references = references
        self._expansions = 0

    def alternatives(self, parts: Iterable[Located]) -> list[Parts]:
        """Return the alternatives of a value that must match all parts; none if it cannot."""
        found: list[Parts] = [()]
        for part in parts:
            found = _both(found, self._of(part, ()))
        return found

    def _of(self, part: Located, outer: tuple[int, ...]) -> list[Parts]:
        """Return the alternatives of one schema.

        outer: the schemas that this one is combined into, which it must not repeat.
        """
        schema = part.schema
        if schema is False:
            return []
        self._expansions += 1
        is_endless = id(schema) in outer or len(outer) > _MAX_DEPTH
        if not is_mapping(schema) or is_endless or self._expansions > _MAX_EXPANSIONS:
            return [()]
        outer = (*outer, id(schema))
        found: list[Parts] = [(part,)]
        if "$ref" in schema:
            target = self._references.resolve(schema["$ref"], part.base)
            referred: list[Parts] = [()] if target is None else self._of(target, outer)
            if self._references.hides_siblings:
                return referred
            found = _both(found, referred)
        for inner in listing(schema.get("allOf")):
            found = _both(found, self._of(self._references.inside(part, inner), outer))
        for key in ("anyOf", "oneOf"):
            if isinstance(schema.get(key), list):
                branches = (self._references.inside(part, inner) for inner in schema[key])
                found = _both(found, [a for branch in branches for a in self._of(branch, outer)])
        if schema.get("not") in (True, {}):
            found = []
        if schema.get("nullable") is True:
            found = [*found, (Located(_NULL, ""),)]
        return found


def _both(first: list[Parts], second: list[Parts]) -> list[Parts]:
    """Return the alternatives of a value that matches one of each; the first, if they are many."""
    if len(first) > 1 and len(second) > 1 and len(first) * len(second) > _MAX_ALTERNATIVES:
        return first
    return [tuple({id(p.schema): p for p in (*a, *b)}.values()) for a in first for b in second]

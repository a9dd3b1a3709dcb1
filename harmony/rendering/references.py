"""References within a JSON Schema document.

Source: JSON Schema 2020-12, section 8.2, and drafts 4 to 7 for `id`, `$id` and `definitions`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote, urldefrag, urljoin

from .lenient import is_mapping, listing, mapping

_SCHEMA_KEYS = frozenset(
    {
        "additionalItems",
        "additionalProperties",
        "contains",
        "contentSchema",
        "else",
        "if",
        "items",
        "not",
        "propertyNames",
        "then",
        "unevaluatedItems",
        "unevaluatedProperties",
    }
)
_LIST_KEYS = frozenset({"allOf", "anyOf", "items", "oneOf", "prefixItems"})
_NAMED_KEYS = frozenset(
    {"$defs", "definitions", "dependencies", "dependentSchemas", "patternProperties", "properties"}
)
_OLD_DRAFT = re.compile(r"draft-0[3-7]")
"""In these drafts a reference hides the keywords beside it."""


class Located(NamedTuple):
    """A schema, and the URI that its references are relative to."""

    schema: Any
    base: str


class References:
    """The schemas of one document, by the URIs that references use."""

    def __init__(self, document: Any) -> None:
        declared = mapping(document).get("$schema")
        self.hides_siblings = isinstance(declared, str) and bool(_OLD_DRAFT.search(declared))
        self.root = Located(document, self._base(document, ""))
        self._resources = {"": self.root, self.root.base: self.root}
        self._anchors: dict[tuple[str, str], Located] = {}
        for found in self._all_schemas():
            self._register(found)

    def inside(self, outer: Located, schema: Any) -> Located:
        """Return a schema that stands inside another one."""
        return Located(schema, self._base(schema, outer.base))

    def resolve(self, reference: object, base: str) -> Located | None:
        """Return the schema that a reference names; None if this document does not contain it."""
        if not isinstance(reference, str):
            return None
        uri, fragment = urldefrag(reference)
        uri = urljoin(base, uri) if uri else base
        resource = self._resources.get(uri)
        if resource is None:
            return None
        fragment = unquote(fragment)
        if fragment and not fragment.startswith("/"):
            return self._anchors.get((uri, fragment))
        return self._follow(resource, fragment)

    def _base(self, schema: Any, outer: str) -> str:
        """Return the URI that references in a schema are relative to."""
        name = _identifier(schema)
        if name is None or (self.hides_siblings and "$ref" in schema):
            return outer
        uri, _ = urldefrag(name)
        return urljoin(outer, uri) if uri else outer

    def _follow(self, found: Located, pointer: str) -> Located | None:
        for part in pointer.split("/")[1:]:
            name = part.replace("~1", "/").replace("~0", "~")
            inner: Any
            if is_mapping(found.schema):
                inner = found.schema.get(name)
            else:
                items = listing(found.schema)
                inner = items[int(name)] if name.isdecimal() and int(name) < len(items) else None
            if inner is None:
                return None
            found = self.inside(found, inner)
        return found

    def _all_schemas(self) -> Iterator[Located]:
        waiting = [self.root]
        while waiting:
            found = waiting.pop()
            if is_mapping(found.schema):
                yield found
                waiting += (self.inside(found, inner) for inner in _inner_schemas(found.schema))

    def _register(self, found: Located) -> None:
        name = _identifier(found.schema)
        if name is not None:
            self._resources.setdefault(found.base, found)
            self._anchors.setdefault((found.base, urldefrag(name).fragment), found)
        for key in ("$anchor", "$dynamicAnchor"):
            if isinstance(name := found.schema.get(key), str):
                self._anchors.setdefault((found.base, name), found)


def _inner_schemas(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for key, value in schema.items():
        inner = [value] if key in _SCHEMA_KEYS else []
        inner += mapping(value).values() if key in _NAMED_KEYS else []
        inner += listing(value) if key in _LIST_KEYS else []
        yield from filter(is_mapping, inner)


def _identifier(schema: Any) -> str | None:
    """Return the URI that a schema gives itself, with drafts 4 and later."""
    name = mapping(schema).get("$id", mapping(schema).get("id"))
    return name if isinstance(name, str) else None

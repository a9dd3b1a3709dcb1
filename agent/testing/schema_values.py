"""A short value that is valid for a JSON Schema.

A generator of our own, because a value in a test should be short, readable and the same each time.
Generators that are made for fuzzing or for fake data are random, and bring large dependencies.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import reduce
from itertools import islice, product
from typing import Any

from .pattern_text import texts_matching
from .schema_checks import (
    TYPES,
    Schema,
    SchemaError,
    exact,
    is_same,
    is_valid,
    property_schemas,
    resolve,
)
from .schema_merge import merge

MAX_ATTEMPTS = 200
"""How many combinations of alternatives are tried for each part of a schema."""
MAX_ITEMS = 10_000
"""The highest minimum of items, properties or characters that a value is generated for."""

_FORMATS = {
    "date": "2024-01-{day:02}",
    "time": "12:00:{second:02}Z",
    "date-time": "2024-01-{day:02}T12:00:00Z",
    "duration": "P{day}D",
    "email": "user{number}@example.com",
    "idn-email": "user{number}@example.com",
    "name-email": "user{number}@example.com",
    "hostname": "host{number}.example.com",
    "uri": "https://example.com/{number}",
    "iri": "https://example.com/{number}",
    "multi-host-uri": "https://example.com/{number}",
    "uri-reference": "/{number}",
    "uuid": "00000000-0000-4000-8000-{number:012}",
    "uuid1": "00000000-0000-1000-8000-{number:012}",
    "uuid3": "00000000-0000-3000-8000-{number:012}",
    "uuid4": "00000000-0000-4000-8000-{number:012}",
    "uuid5": "00000000-0000-5000-8000-{number:012}",
    "ipv4": "192.0.2.{day}",
    "ipv6": "2001:db8::{day}",
    "ipvanyaddress": "192.0.2.{day}",
    "ipv4network": "192.0.2.{day}/32",
    "ipv6network": "2001:db8::{day}/128",
    "ipvanynetwork": "192.0.2.{day}/32",
    "ipv4interface": "192.0.2.{day}/24",
    "ipv6interface": "2001:db8::{day}/64",
    "ipvanyinterface": "192.0.2.{day}/24",
    "json-pointer": "/{number}",
    "regex": "a{{{number}}}",
    "base64": "YWFh",
    "base64url": "YWFh",
    "json-string": "{number}",
}
"""Texts of formats: those of JSON Schema, and those that pydantic adds."""

_TYPE_OF_KEYWORD = {
    "object": {"properties", "required", "additionalProperties", "minProperties"},
    "array": {"items", "prefixItems", "minItems", "uniqueItems"},
    "string": {"pattern", "minLength", "maxLength", "format"},
    "number": {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"},
}
"""What a schema without a type describes, by its keywords."""


class NoValueError(Exception):
    """No value could be generated; `path` says for which part of the schema."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path or 'the schema'}: {reason}")
        self.path = path


def value_for(schema: Schema, *, variant: int = 0) -> Any:
    """Return a short value that is valid for a schema; optional properties are left out.

    variant: another number gives another value, if the schema allows it.

    Raises NoValueError, with the path in the schema, if it does not find one.
    """
    try:
        return _Sampler(schema).value(schema, "", variant, ())
    except RecursionError:
        raise NoValueError("", "it is nested too deeply") from None


class _Sampler:
    """Finds values for the parts of one document.

    A reference that is being followed already is never followed again inside itself. Shorter
    values of recursive schemas do without that, and so the search ends.
    """

    def __init__(self, root: Schema) -> None:
        self._root = root

    def value(self, schema: Schema, path: str, variant: int, open_refs: tuple[str, ...]) -> Any:
        """Return a value for one part of the document.

        path: where the part is, for errors.
        open_refs: the references that are being followed.
        """
        failure = NoValueError(path, "no value is allowed")
        try:
            for flat, refs in islice(self._alternatives(schema, path, open_refs), MAX_ATTEMPTS):
                try:
                    for value in self._candidates(flat, path, variant, refs):
                        if is_valid(self._root, flat, value) and is_valid(
                            self._root, schema, value
                        ):
                            return value
                    failure = NoValueError(path, f"no value was found for {_shorten(flat)}")
                except NoValueError as error:
                    failure = error
        except NoValueError as error:
            failure = error
        except SchemaError as error:
            failure = NoValueError(path, str(error))
        raise failure

    def _alternatives(
        self, schema: Schema, path: str, open_refs: tuple[str, ...]
    ) -> Iterator[tuple[dict[str, Any], tuple[str, ...]]]:
        """Yield the schemas without references and combinations that this one is made of."""
        if isinstance(schema, bool):
            if schema:
                yield {"type": "string"}, open_refs
            return
        rest = dict(schema)
        reference = rest.pop("$ref", None)
        if reference in open_refs:
            raise NoValueError(path, f"every value for {reference} contains another one")
        if reference is not None:
            choices: list[Sequence[Schema]] = [[resolve(self._root, reference)]]
            open_refs = (*open_refs, reference)
        else:
            choices = _choices(rest)
        if not choices:
            yield from ((flat, open_refs) for flat in _by_type(rest))
            return
        failure: NoValueError | None = None
        whole: Schema = rest
        for chosen in product(*choices):
            try:
                yield from self._alternatives(reduce(merge, chosen, whole), path, open_refs)
            except NoValueError as error:
                failure = error
        if failure is not None:
            raise failure

    def _candidates(
        self, schema: Mapping[str, Any], path: str, variant: int, refs: tuple[str, ...]
    ) -> Iterator[Any]:
        """Yield values that a schema may allow; the caller checks them."""
        if "enum" in schema or "const" in schema:
            constants = schema.get("enum", [schema.get("const")])
            start = variant % len(constants) if constants else 0
            yield from [*constants[start:], *constants[:start]]
            return
        match schema["type"]:
            case "null":
                yield None
            case "boolean":
                yield from (variant % 2 == 1, variant % 2 == 0)
            case "integer" | "number":
                yield from _numbers(schema, variant)
            case "string":
                yield from self._texts(schema, path, variant, refs)
            case "array":
                yield from self._arrays(schema, path, variant, refs)
            case "object":
                yield self._object(schema, path, variant, refs)
            case name:
                raise NoValueError(path, f"{name!r} is not a type; known: {', '.join(TYPES)}")

    def _texts(
        self, schema: Mapping[str, Any], path: str, variant: int, refs: tuple[str, ...]
    ) -> Iterator[str]:
        least = _least(schema, "minLength", path)
        if "contentSchema" in schema:
            content = self.value(schema["contentSchema"], f"{path}.contentSchema", variant, refs)
            yield json.dumps(content)
            return
        if "pattern" in schema:
            for text in texts_matching(schema["pattern"], variant, min_length=max(least, 8)):
                yield from (text, text.ljust(least, "a"))
            return
        if (form := _FORMATS.get(schema.get("format", ""))) is not None:
            yield form.format(number=variant + 1, day=variant % 28 + 1, second=variant % 60)
            return
        word = _word(variant).ljust(least, "a")
        most = schema.get("maxLength", len(word))
        yield word if len(word) <= most else word[len(word) - int(most) :]

    def _arrays(
        self, schema: Mapping[str, Any], path: str, variant: int, refs: tuple[str, ...]
    ) -> Iterator[list[Any]]:
        """Yield an array with one item more than necessary, and one with what is necessary."""
        least, most = _least(schema, "minItems", path), schema.get("maxItems", math.inf)
        first: list[Schema] = schema.get("prefixItems", [])
        rest: Schema = schema.get("items", True)
        has_item = "items" in schema and rest is not False
        wanted = max(least, min(most, len(first) + 1 if has_item else len(first)))
        items: list[Any] = []
        try:
            for at in range(int(wanted)):
                part = first[at] if at < len(first) else rest
                place = f"{path}.prefixItems.{at}" if at < len(first) else f"{path}.items"
                is_unique = schema.get("uniqueItems", False)
                items.append(self._item(part, place, variant, refs, items if is_unique else []))
        except NoValueError:
            if len(items) < least:
                raise
        yield items
        if "contains" in schema:
            contains = schema["contains"]
            wanted = schema.get("minContains", 1)
            found = [self.value(contains, f"{path}.contains", variant, refs) for _ in range(wanted)]
            yield [*found, *items[len(found) :]]
        yield items[:least]

    def _item(
        self, schema: Schema, path: str, variant: int, refs: tuple[str, ...], others: list[Any]
    ) -> Any:
        """Return an item that is different from the others."""
        for number in range(variant, variant + 2 * len(others) + 2):
            item = self.value(schema, path, number, refs)
            if not any(is_same(item, other) for other in others):
                return item
        raise NoValueError(path, f"there are not {len(others) + 1} different values")

    def _object(
        self, schema: Mapping[str, Any], path: str, variant: int, refs: tuple[str, ...]
    ) -> dict[str, Any]:
        """Return an object with the required properties, and more only if it needs them."""
        values: dict[str, Any] = {}

        def add(name: str) -> None:
            parts = property_schemas(schema, name)
            part = parts[0] if len(parts) == 1 else {"allOf": parts}
            values[name] = self.value(part, f"{path}.{name}", variant, refs)

        for name in schema.get("required", []):
            add(name)
            for other in schema.get("dependentRequired", {}).get(name, []):
                add(other)
        least = _least(schema, "minProperties", path)
        extra: Schema = schema.get("additionalProperties", True)
        is_mapping = not isinstance(extra, bool) or "patternProperties" in schema
        if not values and not schema.get("properties") and is_mapping:
            # A mapping has an entry, as a list has an item.
            with suppress(NoValueError, StopIteration):
                add(next(self._names(schema, path, variant, refs)))
        names = self._names(schema, path, variant, refs)
        while len(values) < least:
            new_name = next((name for name in names if name not in values), None)
            if new_name is None:
                raise NoValueError(path, f"there are no names for {least} properties")
            with suppress(NoValueError):
                add(new_name)
        return values

    def _names(
        self, schema: Mapping[str, Any], path: str, variant: int, refs: tuple[str, ...]
    ) -> Iterator[str]:
        """Yield names of properties that the schema allows beyond the required ones."""
        yield from schema.get("properties", {})
        limit = range(variant, variant + MAX_ITEMS)
        for pattern in schema.get("patternProperties", {}):
            yield from _names_matching(pattern, limit)
        if schema.get("additionalProperties", True) is not False:
            for number in limit:
                if "propertyNames" not in schema:
                    yield _word(number)
                    continue
                allowed = {"allOf": [{"type": "string"}, schema["propertyNames"]]}
                yield self.value(allowed, f"{path}.propertyNames", number, refs)


def _names_matching(pattern: str, variants: Iterable[int]) -> Iterator[str]:
    """Yield different names that match a pattern, until they repeat."""
    seen: set[str] = set()
    for variant in variants:
        name = next(texts_matching(pattern, variant), None)
        if name is None or name in seen:
            return
        seen.add(name)
        yield name


def _choices(schema: dict[str, Any]) -> list[Sequence[Schema]]:
    """Remove the combinations from a schema; return the parts to choose one from, for each."""
    choices: list[Sequence[Schema]] = [[part] for part in schema.pop("allOf", [])]
    choices += [schema.pop(key) for key in ("anyOf", "oneOf") if key in schema]
    if "if" in schema:
        choices.append([schema.get("then", True), schema.get("else", True)])
        for key in ("if", "then", "else"):
            schema.pop(key, None)
    return choices


def _numbers(schema: Mapping[str, Any], variant: int) -> Iterator[float]:
    """Yield numbers in the range of a schema, close to zero and whole if it allows that."""
    low = max((exact(schema[key]) for key in _LOWER if key in schema), default=None)
    high = min((exact(schema[key]) for key in _UPPER if key in schema), default=None)
    is_integer = schema["type"] == "integer"
    step = exact(schema.get("multipleOf", 1))
    steps = [step]
    if is_integer and step.denominator > 1:
        steps = [step * step.denominator]
    if not is_integer and "multipleOf" not in schema and low is not None and high is not None:
        # A narrow range may not have a whole number.
        steps += [(high - low) / 4] if high > low else [high] if high else []
    for size in steps:
        if low is None or low <= 0:
            start, direction = 0, 1
            if high is not None and high < 0:
                start, direction = math.floor(high / size), -1
        else:
            start, direction = math.ceil(low / size), 1
        found = [(start + direction * number) * size for number in (variant, *range(8))]
        yield from (int(item) if item.denominator == 1 else float(item) for item in found)
    if low is not None and "multipleOf" not in schema:
        yield float(low)


_LOWER, _UPPER = ("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")


def _by_type(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """Return one schema per type; a schema with constants stays as it is."""
    if "enum" in schema or "const" in schema:
        return [schema]
    types = schema.get("type", _implied_type(schema))
    return [{**schema, "type": name} for name in ([types] if isinstance(types, str) else types)]


def _implied_type(schema: Mapping[str, Any]) -> str:
    """Return the type that the keywords of a schema without one are about."""
    for name, keywords in _TYPE_OF_KEYWORD.items():
        if keywords & schema.keys():
            return name
    return "string"


def _least(schema: Mapping[str, Any], key: str, path: str) -> int:
    least = int(schema.get(key, 0))
    if least > MAX_ITEMS:
        raise NoValueError(path, f"{key} is {least}, more than {MAX_ITEMS}")
    return least


def _word(number: int) -> str:
    """Return a, b, ..., z, aa, ab, ..."""
    letters = ""
    while number >= 0:
        letters = chr(ord("a") + number % 26) + letters
        number = number // 26 - 1
    return letters


def _shorten(schema: Mapping[str, Any]) -> str:
    shown = {key: value for key, value in schema.items() if key not in {"$defs", "description"}}
    text = json.dumps(shown, ensure_ascii=False, default=repr)
    return text if len(text) <= 200 else f"{text[:199]}…"

"""Rules of the JSON values that a JSON Schema allows.

The rules allow every value that the schema allows, if it is written with the keys of objects in the
schema's order: first its own properties, then those of references and combinations, then others.
They allow more where a grammar cannot express the schema, so what was sampled must be validated.
Source: JSON Schema 2020-12, and drafts 4 to 7 where they differ.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ..rendering import Located, References, listing
from .alternatives import Expansion, Parts
from .container_rules import WS, Member, array_expression, object_expression
from .ebnf import Rules, either, literal
from .number_rules import integer_expression, number_expression
from .schema_keywords import (
    bounds,
    count,
    is_constrained,
    listed_values,
    named_schemas,
    patterns,
    types,
    value_expression,
)
from .string_rules import STRING, StringRules, json_text, matches

VALUE = "json"
"""The rule of any JSON value."""
_MAX_RULES = 20_000
_MAX_INLINE = 60
"""A longer expression becomes a rule."""


class SchemaRules:
    """The rules of the values of schemas in one grammar."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._strings = StringRules(rules)
        for name, body in {
            WS: "[ \\n\\r\\t]?",
            VALUE: f'object | array | {STRING} | number | "true" | "false" | "null"',
            "object": f'"{{" {WS} ("}}" | member ({WS} "," {WS} member)* {WS} "}}")',
            "member": f'{STRING} {WS} ":" {WS} {VALUE}',
            "array": f'"[" {WS} ("]" | {VALUE} ({WS} "," {WS} {VALUE})* {WS} "]")',
            "number": number_expression(None, None) or "",
            "integer": integer_expression(None, None) or "",
        }.items():
            rules.define(rules.new_name(name), body)

    def add(self, schema: Mapping[str, Any] | bool, stem: str) -> str:
        """Add the rules of a schema's values; return the expression of a value.

        A schema that allows no value gets the expression of any value.
        """
        return _Document(self._rules, self._strings, schema, stem).add()


class _Document:
    """The rules of the schemas of one document."""

    def __init__(
        self, rules: Rules, strings: StringRules, schema: Mapping[str, Any] | bool, stem: str
    ) -> None:
        self._rules = rules
        self._strings = strings
        self._stem = stem
        self._references = References(schema)
        self._expansion = Expansion(self._references)
        self._expressions: dict[tuple[tuple[int, ...], ...], str | None] = {}
        self._waiting = deque[tuple[str, list[Parts]]]()

    def add(self) -> str:
        expression = self._value([self._references.root])
        # One after the other, not by recursion: schemas may be nested deeply.
        while self._waiting:
            name, alternatives = self._waiting.popleft()
            self._rules.define(name, self._any_of(alternatives) or VALUE)
        return expression or VALUE

    def _value(self, parts: Iterable[Located]) -> str | None:
        """Return the expression of the values that match all parts; None if there are none."""
        found = self._expansion.alternatives(parts)
        if not found:
            return None
        alternatives = [tuple(filter(is_constrained, parts)) for parts in found]
        if () in alternatives or len(self._rules) > _MAX_RULES:
            return VALUE
        key = tuple(tuple(id(part.schema) for part in parts) for parts in alternatives)
        if key not in self._expressions:
            self._expressions[key] = self._new_expression(alternatives)
        return self._expressions[key]

    def _new_expression(self, alternatives: list[Parts]) -> str | None:
        if any({"object", "array"} & set(types(parts)) for parts in alternatives):
            name = self._rules.new_name(self._stem)
            self._waiting.append((name, alternatives))
            return name
        expression = self._any_of(alternatives)
        if expression is None or len(expression) <= _MAX_INLINE:
            return expression
        return self._rules.define(self._rules.new_name(self._stem), expression)

    def _any_of(self, alternatives: list[Parts]) -> str | None:
        expressions = [found for parts in alternatives for found in self._all_of(parts)]
        return either(expressions) if expressions else None

    def _all_of(self, parts: Parts) -> Iterator[str]:
        """Yield the expressions of the values that match all parts, one for each type."""
        listed = listed_values(parts)
        if listed is not None:
            yield from (value_expression(value) or VALUE for value in listed)
            return
        for name in types(parts):
            match name:
                case "object":
                    found = self._object(parts)
                case "array":
                    found = self._array(parts)
                case "string":
                    found = self._strings.matching(patterns(parts))
                case "number":
                    found = number_expression(*bounds(parts, whole=False))
                case "integer":
                    found = integer_expression(*bounds(parts, whole=True))
                case "boolean":
                    found = '("true" | "false")'
                case _:
                    found = '"null"'
            if found is not None:
                yield found

    def _inside(self, part: Located, schema: object) -> Located:
        return self._references.inside(part, schema)

    # Objects.

    def _object(self, parts: Parts) -> str | None:
        """Return the expression of the objects that match all parts; None if there are none."""
        required = dict.fromkeys(name for part in parts for name in _required(part))
        declared = (name for part in parts for name in named_schemas(part, "properties"))
        names = list(dict.fromkeys([*declared, *required]))
        members = list[Member]()
        for name in names:
            value = self._value(self._property(parts, name))
            if value is not None:
                text = f'{literal(json_text(name))} {WS} ":" {WS} {value}'
                members.append(Member(text, name in required))
            elif name in required:
                return None
        optional = [name for name in names if name not in required]
        other = self._other_member(parts, optional)
        return object_expression(self._rules, self._stem, members, other)

    def _property(self, parts: Parts, name: str) -> Iterator[Located]:
        """Yield the schemas of a property."""
        for part in parts:
            properties = named_schemas(part, "properties")
            if name in properties:
                yield self._inside(part, properties[name])
            found = {
                pattern: matches(pattern, name)
                for pattern in named_schemas(part, "patternProperties")
            }
            for pattern, is_match in found.items():
                if is_match:
                    yield self._inside(part, part.schema["patternProperties"][pattern])
            if name not in properties and set(found.values()) <= {False}:
                yield self._inside(part, part.schema.get("additionalProperties", True))

    def _other_member(self, parts: Parts, optional: Sequence[str]) -> str | None:
        """Return the expression of a member that is not declared; None if there can be none.

        optional: the declared members that an object may lack. Their keys are avoided: with any
            value at the wrong place, they would get around their own schemas.
        """
        by_pattern = [part for part in parts if named_schemas(part, "patternProperties")]
        shared = [
            self._inside(part, part.schema.get("additionalProperties", True))
            for part in parts
            if part not in by_pattern
        ]
        keys = self._strings.other_than(optional)
        members = list[str]()
        if len(by_pattern) == 1:
            # If several schemas have patterns, which of them a key matches is left to validation.
            part = by_pattern[0]
            schemas = named_schemas(part, "patternProperties")
            for pattern, schema in schemas.items():
                value = self._value([*shared, self._inside(part, schema)])
                if value and (key := self._strings.matching([pattern], keys)):
                    members.append(f'{key} {WS} ":" {WS} {value}')
            shared.append(self._inside(part, part.schema.get("additionalProperties", True)))
            keys = [*keys, *schemas]
        value = self._value(shared)
        if value and (key := self._keys(parts, keys)):
            members.append(f'{key} {WS} ":" {WS} {value}')
        if not members:
            return None
        return self._rules.define(self._rules.new_name(self._stem), either(members))

    def _keys(self, parts: Parts, avoided: Sequence[str]) -> str | None:
        """Return the expression of the keys that `propertyNames` allows; None if there are none."""
        names = [
            self._inside(part, part.schema["propertyNames"])
            for part in parts
            if "propertyNames" in part.schema
        ]
        expressions = list[str]()
        for alternative in self._expansion.alternatives(names):
            listed = listed_values(alternative)
            if listed is not None:
                texts = (json_text(value) for value in listed if isinstance(value, str))
                expressions += map(literal, texts)
            elif "string" in types(alternative):
                found = self._strings.matching(patterns(alternative), avoided)
                expressions += [found] if found else []
        return either(expressions) if expressions else None

    # Arrays.

    def _array(self, parts: Parts) -> str | None:
        """Return the expression of the arrays that match all parts; None if there are none."""
        tuples = [_tuple(part) for part in parts]
        length = max(len(first) for first, _ in tuples)
        items = list[str]()
        for index in range(length):
            schemas = (
                self._inside(part, first[index] if index < len(first) else rest)
                for part, (first, rest) in zip(parts, tuples, strict=True)
            )
            item = self._value(schemas)
            if item is None:
                break
            items.append(item)
        other = None
        if len(items) == length:
            rests = (
                self._inside(part, rest) for part, (_, rest) in zip(parts, tuples, strict=True)
            )
            other = self._value(rests)
        least = count(parts, "minItems", max) or 0
        return array_expression(
            self._rules, self._stem, items, other, least, count(parts, "maxItems", min)
        )


def _required(part: Located) -> list[str]:
    """Return the names of required properties."""
    return [name for name in listing(part.schema.get("required")) if isinstance(name, str)]


def _tuple(part: Located) -> tuple[list[Any], Any]:
    """Return the schemas of the first items, and that of the others."""
    items = part.schema.get("items", True)
    if isinstance(items, list):
        return listing(items), part.schema.get("additionalItems", True)
    return listing(part.schema.get("prefixItems")), items

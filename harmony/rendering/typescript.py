"""JSON Schema as the TypeScript-like types that harmony shows to a model.

Types that openai-harmony 0.0.8 supports are written exactly as it writes them, including
whitespace, because models were trained on that text. Where it writes `any` or omits a constraint,
this module writes the full type: references, unions, intersections, literals, records and tuples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from .definitions import Definitions
from .lenient import Schema, listing, mapping
from .literals import literal

_SIMPLE_TYPES = {"string": "string", "number": "number", "integer": "number", "boolean": "boolean"}
_INDENT = "    "
_MAX_DEPTH = 50
"""Types that are nested more deeply are written as `any`."""


def typescript(schema: Schema | bool, *, prefix: str = "") -> str:
    """Return the type that a schema describes, as one TypeScript expression.

    schema: JSON Schema, for example from pydantic. What TypeScript cannot express is omitted or
        becomes `any`. References are expanded, except recursive definitions: those are referred
        to by name, and `declarations` declares them.
    prefix: the prefix of those names.
    """
    writer = _TypeWriter(schema, prefix)
    ref = mapping(schema).get("$ref")
    return writer.expand(ref) if ref in writer.definitions.named else writer.of(schema, "")


def declarations(schema: Schema | bool, *, prefix: str = "") -> dict[str, str]:
    """Return the recursive types that `typescript` refers to: type expressions by name."""
    writer = _TypeWriter(schema, prefix)
    return {name: writer.expand(ref) for ref, name in writer.definitions.named.items()}


class _Union(str):
    """A type with a `|` outside brackets."""

    __slots__ = ()


class _Intersection(str):
    """A type with a `&` outside brackets."""

    __slots__ = ()


class _TypeWriter:
    """A writer of the types in one schema."""

    def __init__(self, root: Schema | bool, prefix: str) -> None:
        self.definitions = Definitions(mapping(root), prefix)
        self._depth = 0
        self._by_type: dict[str, Callable[[Schema, str], str]] = {
            "object": self._object,
            "array": self._array,
            "string": self._string,
        }

    def expand(self, ref: str) -> str:
        """Return the type that a reference points to."""
        return self._commented(self.definitions.resolve(ref) or {}, "")

    def of(self, schema: Any, indent: str) -> str:
        """Return the type of a schema. All lines after the first are indented."""
        if schema is False:
            return "never"
        if self._depth >= _MAX_DEPTH:
            return "any"
        self._depth += 1
        try:
            return self._type(mapping(schema), indent)
        finally:
            self._depth -= 1

    def _type(self, schema: Schema, indent: str) -> str:
        if isinstance(schema.get("oneOf"), list):
            return "".join(f"\n{line}" for line in self._variants(schema["oneOf"], indent))
        kind = schema.get("type")
        if isinstance(kind, list) and (names := _names(listing(kind))):
            return names
        if isinstance(kind, str):
            values = _values(schema)
            if values and (kind != "string" or "const" in schema):
                return values
            return self._typed(kind, schema, indent)
        return self._untyped(schema, indent)

    def _typed(self, kind: str, schema: Schema, indent: str) -> str:
        write = self._by_type.get(kind)
        if write:
            return write(schema, indent)
        return "null" if kind == "null" else _SIMPLE_TYPES.get(kind, "any")

    def _untyped(self, schema: Schema, indent: str) -> str:
        """Return the type of a schema without `type`; openai-harmony writes `any`."""
        if isinstance(schema.get("$ref"), str):
            return self._reference(schema["$ref"], indent)
        if variants := listing(schema.get("anyOf")):
            return self._union(variants, indent)
        if parts := listing(schema.get("allOf")):
            return self._intersection(parts, schema, indent)
        if {"properties", "additionalProperties", "patternProperties"} & set(schema):
            return self._object(schema, indent)
        if {"items", "prefixItems"} & set(schema):
            return self._array(schema, indent)
        return _values(schema) or "any"

    def _reference(self, ref: str, indent: str) -> str:
        if ref in self.definitions.named:
            return self.definitions.named[ref]
        return self._commented(self.definitions.resolve(ref) or {}, indent)

    def _commented(self, schema: Any, indent: str) -> str:
        """Return a type with its description, for a type that is not the value of a property."""
        description = mapping(schema).get("description")
        if not isinstance(description, str):
            return self.of(schema, indent)
        text = self.of({**schema, "description": None}, indent)
        if text.startswith("{\n"):
            lines = (f"{indent}// {line}".rstrip() for line in description.splitlines())
            return type(text)("\n".join(["{", *lines, "", text.removeprefix("{\n")]))
        comment = " ".join(description.split()).replace("*/", "* /")
        return type(text)(f"{text} /* {comment} */")

    def _union(self, variants: Iterable[Any], indent: str) -> str:
        types = [self._commented(variant, indent) for variant in variants]
        return _joined(" | ", types, _Union)

    def _intersection(self, parts: list[Any], schema: Schema, indent: str) -> str:
        if "properties" in schema:
            parts = [*parts, {"type": "object", **schema, "allOf": None, "description": None}]
        types = [self._commented(part, indent) for part in parts]
        types = [_grouped(text, _Union) for text in types if text != "any"]
        return _joined(" & ", types, _Intersection) or "any"

    def _string(self, schema: Schema, indent: str) -> str:
        del indent
        names = [name for name in listing(schema.get("enum")) if isinstance(name, str)]
        # Like openai-harmony, keep repeated names and do not escape them.
        return _Union(" | ".join(f'"{name}"' for name in names)) if names else "string"

    def _array(self, schema: Schema, indent: str) -> str:
        items = schema.get("items")
        if first := listing(schema.get("prefixItems")) or listing(items):
            types = [self._commented(item, indent) for item in first]
            items = schema.get("additionalItems") if isinstance(items, list) else items
            if isinstance(items, dict):
                types.append(f"...{_grouped(self._items(items, indent))}[]")
            return f"[{', '.join(types)}]"
        if "items" not in schema:
            return "Array<any>"
        return f"{_grouped(self._items(items, indent))}[]"

    def _items(self, items: Any, indent: str) -> str:
        schema = mapping(items)
        if not {"type", "oneOf"} & set(schema):
            return self._commented(items, indent)
        text = self.of(items, indent)
        # openai-harmony writes no parentheses around the unions that it supports.
        is_enum = schema.get("type") == "string" and "const" not in schema
        return str(text) if is_enum or isinstance(schema.get("type"), list) else text

    def _object(self, schema: Schema, indent: str) -> str:
        record = self._record(schema, indent)
        properties = mapping(schema.get("properties"))
        if record and not properties:
            return record
        description = schema.get("description")
        head = f"{indent}// {description}\n" if isinstance(description, str) else ""
        required = {key for key in listing(schema.get("required")) if isinstance(key, str)}
        body = "".join(
            f"{line}\n"
            for key, value in properties.items()
            for line in self._property(key, mapping(value), indent, required)
        )
        text = f"{head}{{\n{body}{indent}}}"
        return _Intersection(f"{text} & {record}") if record else text

    def _record(self, schema: Schema, indent: str) -> str:
        """Return the type of properties whose names are not in the schema."""
        values = list(mapping(schema.get("patternProperties")).values())
        extra = schema.get("additionalProperties")
        if isinstance(extra, dict) or (extra is True and not schema.get("properties")):
            values.append(extra)
        if not values:
            return ""
        names = mapping(schema.get("propertyNames"))
        keys = self.of(names, indent) if {"enum", "const", "$ref"} & set(names) else "string"
        return f"Record<{keys}, {self._union(values, indent)}>"

    def _property(self, key: str, schema: Schema, indent: str, required: set[str]) -> Iterator[str]:
        mark = "" if key in required else "?"
        title, description = schema.get("title"), schema.get("description")
        variants = schema.get("oneOf")
        if isinstance(title, str):
            yield f"{indent}// {title}"
            yield f"{indent}//"
        if isinstance(description, str) and "oneOf" not in schema:
            yield f"{indent}// {description}"
        if examples := listing(schema.get("examples")):
            yield f"{indent}// Examples:"
            yield from (f'{indent}// - "{text}"' for text in examples if isinstance(text, str))
        default = _default(schema, bare_enum=True)
        if isinstance(variants, list):
            options = listing(variants)
            first = mapping(options[0] if options else None).get("description")
            above = description if isinstance(description, str) and description != first else None
            if above is not None:
                yield f"{indent}// {above}"
            if default:
                yield f"{indent}// {default}"
            yield f"{indent}{key}{mark}:"
            yield from self._variants(
                options, indent, description=description, above=above, bare_enum=True
            )
            yield f"{indent},"
        else:
            text = self._nullable(schema, f"{indent}{_INDENT}")
            shown = f" // {default}" if default and "oneOf" not in schema else ""
            yield f"{indent}{key}{mark}: {text},{shown}"

    def _variants(
        self,
        variants: list[Any],
        indent: str,
        *,
        description: Any = None,
        above: str | None = None,
        bare_enum: bool = False,
    ) -> Iterator[str]:
        """Yield the lines of a `oneOf`.

        description: the description of the property. above: the same, if it is written above.
        bare_enum: whether the default of an enum is written without quotes, as for properties.
        """
        for at, raw in enumerate(variants):
            variant = mapping(raw)
            comments: list[str] = []
            own = variant.get("description")
            hidden = (at == 0 and above is not None) or own == description
            if isinstance(own, str) and not hidden:
                comments.append(own)
            if "default" in variant:
                comments.append(_default(variant, bare_enum=bare_enum))
            text = self._nullable(variant, f"{indent}   ") if variant else self.of(raw, indent)
            yield f"{indent} | {text}" + (f" // {' '.join(comments)}" if comments else "")

    def _nullable(self, schema: Schema, indent: str) -> str:
        text = self.of(schema, indent)
        return f"{text} | null" if schema.get("nullable") is True and "null" not in text else text


def _names(kinds: list[Any]) -> str:
    names = ["number" if kind == "integer" else kind for kind in kinds if isinstance(kind, str)]
    return _Union(" | ".join(names))


def _values(schema: Schema) -> str:
    """Return the literal type of a `const` or an `enum`, or an empty string."""
    values = [schema["const"]] if "const" in schema else listing(schema.get("enum"))
    return _joined(" | ", map(literal, values), _Union)


def _default(schema: Schema, *, bare_enum: bool) -> str:
    if "default" not in schema:
        return ""
    value = schema["default"]
    if not isinstance(value, str):
        return f"default: {literal(value)}"
    if not listing(schema.get("enum")):
        return f'default: "{value}"'
    return f"default: {value if bare_enum else literal(value)}"


def _joined(operator: str, types: Iterable[str], compound: type[str]) -> str:
    """Join the distinct types; a single type is returned unchanged."""
    distinct = list(dict.fromkeys(types))
    return compound(operator.join(distinct)) if len(distinct) > 1 else "".join(distinct)


def _grouped(text: str, *compounds: type[str]) -> str:
    """Return the type, in parentheses if its operator needs them."""
    return f"({text})" if isinstance(text, compounds or (_Union, _Intersection)) else text

"""JSON Schema as the TypeScript-like types that harmony shows a model.

What openai-harmony 0.0.8 can say is said in its letters, white space and all, for models have
seen them so. Where it says `any`, or leaves a constraint out, this says what the schema says:
references, unions, intersections, literals, records and tuples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from .definitions import Definitions, Schema, listing, mapping
from .literals import literal

_PLAIN = {"string": "string", "number": "number", "integer": "number", "boolean": "boolean"}
_STEP = "    "


def typescript(schema: Schema, *, prefix: str = "") -> str:
    """The type that a schema describes, as one TypeScript expression.

    schema: JSON Schema, as pydantic writes it for instance. What TypeScript cannot say is left
    out, or `any`. References are written out, but for those of definitions that contain
    themselves: they are named, and `declarations` declares the names.
    prefix: what those names begin with.
    """
    types = _Types(schema, prefix)
    ref = schema.get("$ref")
    return types.expand(ref) if ref in types.definitions.named else types.of(schema, "")


def declarations(schema: Schema, *, prefix: str = "") -> dict[str, str]:
    """The types that `typescript` names: name, and type expression."""
    types = _Types(schema, prefix)
    return {name: types.expand(ref) for ref, name in types.definitions.named.items()}


class _Union(str):
    """A type with a `|` outside of all brackets."""

    __slots__ = ()


class _Intersection(str):
    """A type with a `&` outside of all brackets."""

    __slots__ = ()


class _Types:
    """Writes the types of one schema."""

    def __init__(self, root: Schema, prefix: str) -> None:
        self.definitions = Definitions(root, prefix)
        self._by_type: dict[str, Callable[[Schema, str], str]] = {
            "object": self._object,
            "array": self._array,
            "string": self._string,
        }

    def expand(self, ref: str) -> str:
        """The type behind a reference."""
        return self._commented(self.definitions.resolve(ref) or {}, "")

    def of(self, schema: Any, indent: str) -> str:
        """The type of any schema. Lines after the first are indented."""
        if schema is False:
            return "never"
        schema = mapping(schema)
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
        return "null" if kind == "null" else _PLAIN.get(kind, "any")

    def _untyped(self, schema: Schema, indent: str) -> str:
        """What has no `type`, of which openai-harmony says `any`."""
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
        """A type that no property stands before, with its description."""
        about = mapping(schema).get("description")
        if not isinstance(about, str):
            return self.of(schema, indent)
        text = self.of({**schema, "description": None}, indent)
        if text.startswith("{\n"):
            lines = (f"{indent}// {line}".rstrip() for line in about.splitlines())
            return type(text)("\n".join(["{", *lines, "", text.removeprefix("{\n")]))
        comment = " ".join(about.split()).replace("*/", "* /")
        return type(text)(f"{text} /* {comment} */")

    def _union(self, variants: Iterable[Any], indent: str) -> str:
        said = [self._commented(variant, indent) for variant in variants]
        return _joined(" | ", said, _Union)

    def _intersection(self, parts: list[Any], schema: Schema, indent: str) -> str:
        if "properties" in schema:
            parts = [*parts, {"type": "object", **schema, "allOf": None, "description": None}]
        said = [self._commented(part, indent) for part in parts]
        said = [_grouped(one, _Union) for one in said if one != "any"]
        return _joined(" & ", said, _Intersection) or "any"

    def _string(self, schema: Schema, indent: str) -> str:
        del indent
        names = [one for one in listing(schema.get("enum")) if isinstance(one, str)]
        # Every name as often as it is given, and none escaped: so does openai-harmony.
        return _Union(" | ".join(f'"{name}"' for name in names)) if names else "string"

    def _array(self, schema: Schema, indent: str) -> str:
        items = schema.get("items")
        if first := listing(schema.get("prefixItems")):
            types = [self._commented(one, indent) for one in first]
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
        # openai-harmony sets no parentheses around the unions that it knows.
        own = schema.get("type") == "string" and "const" not in schema
        return str(text) if own or isinstance(schema.get("type"), list) else text

    def _object(self, schema: Schema, indent: str) -> str:
        record = self._record(schema, indent)
        properties = mapping(schema.get("properties"))
        if record and not properties:
            return record
        about = schema.get("description")
        head = f"{indent}// {about}\n" if isinstance(about, str) else ""
        required = {one for one in listing(schema.get("required")) if isinstance(one, str)}
        body = "".join(
            f"{line}\n"
            for key, value in properties.items()
            for line in self._property(key, mapping(value), indent, required)
        )
        text = f"{head}{{\n{body}{indent}}}"
        return _Intersection(f"{text} & {record}") if record else text

    def _record(self, schema: Schema, indent: str) -> str:
        """The type of properties that have no name of their own."""
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
        title, about, variants = (schema.get(one) for one in ("title", "description", "oneOf"))
        if isinstance(title, str):
            yield f"{indent}// {title}"
            yield f"{indent}//"
        if isinstance(about, str) and "oneOf" not in schema:
            yield f"{indent}// {about}"
        if examples := listing(schema.get("examples")):
            yield f"{indent}// Examples:"
            yield from (f'{indent}// - "{one}"' for one in examples if isinstance(one, str))
        default = _default(schema, bare_enum=True)
        if isinstance(variants, list):
            options = listing(variants)
            first = mapping(options[0] if options else None).get("description")
            above = about if isinstance(about, str) and about != first else None
            if above is not None:
                yield f"{indent}// {above}"
            if default:
                yield f"{indent}// {default}"
            yield f"{indent}{key}{mark}:"
            yield from self._variants(options, indent, about=about, above=above, bare_enum=True)
            yield f"{indent},"
        else:
            text = self._nullable(schema, f"{indent}{_STEP}")
            shown = f" // {default}" if default and "oneOf" not in schema else ""
            yield f"{indent}{key}{mark}: {text},{shown}"

    def _variants(
        self,
        variants: list[Any],
        indent: str,
        *,
        about: Any = None,
        above: str | None = None,
        bare_enum: bool = False,
    ) -> Iterator[str]:
        """The lines of a `oneOf`.

        about: the description of the property that has it. above: that, if it is shown above.
        bare_enum: whether an enum's default stands without quotes, as it does for properties.
        """
        for at, raw in enumerate(variants):
            variant = mapping(raw)
            comments: list[str] = []
            own = variant.get("description")
            hidden = (at == 0 and above is not None) or own == about
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
    names = ["number" if one == "integer" else one for one in kinds if isinstance(one, str)]
    return _Union(" | ".join(names))


def _values(schema: Schema) -> str:
    """The literal type of a `const` or an `enum`; empty if there is neither."""
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
    """Different types, joined; one alone is left as it is."""
    different = list(dict.fromkeys(types))
    return compound(operator.join(different)) if len(different) > 1 else "".join(different)


def _grouped(text: str, *compounds: type[str]) -> str:
    """The type in parentheses, if its operator would bind wrongly."""
    return f"({text})" if isinstance(text, compounds or (_Union, _Intersection)) else text

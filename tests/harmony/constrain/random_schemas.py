"""Random schemas with all keywords, random values, and the ways to write a value."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Iterator
from itertools import permutations, product
from typing import Any

from ossia.harmony.constrain.string_rules import json_text
from ossia.harmony.rendering import is_mapping, listing

Schema = dict[str, Any] | bool
NAMES = ("a", "b", "n_x")
TEXTS = ("", "a", "abc", "A-1", "x.md", "https://a.b/c", "n_x", "é<|ü", 'q"\\\n\x01')
NUMBERS = (0, 1, -1, 2, 10, 17, 100, -35, 0.5, 2.0, -1.25, 1e-7)
PATTERNS = ("^a", "b$", "^A-", r"\.md$", "a|é", "", "^https?://", r"^\w+$", r"\d", "^n_")


class RandomJson:
    """A generator of schemas and values; each seed gives the same ones."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def root_schema(self) -> dict[str, Any]:
        """Return a schema with two definitions that it may refer to."""
        return self._object_schema(0) | {"$defs": {"X": self.schema(2), "Y": self.schema(2)}}

    def schema(self, depth: int = 0) -> Schema:
        if self._random.random() < 0.05:
            return self._random.random() < 0.8
        return self._object_schema(depth)

    def _object_schema(self, depth: int) -> dict[str, Any]:
        keywords: list[Callable[[], dict[str, Any]]] = [
            lambda: {"type": self._random.choice(["string", "integer", "number", "boolean"])},
            lambda: {"type": self._random.choice(["object", "array", ["string", "null"]])},
            lambda: {"enum": self._random.sample([*TEXTS, *NUMBERS, None, True, [1], {"a": 1}], 3)},
            lambda: {"const": self.value(2)},
            lambda: {"pattern": self._random.choice(PATTERNS)},
            lambda: {self._random.choice(["minimum", "exclusiveMinimum"]): self._number()},
            lambda: {self._random.choice(["maximum", "exclusiveMaximum"]): self._number()},
            lambda: {"multipleOf": self._random.choice([2, 0.5])},
            lambda: {self._random.choice(["minLength", "maxLength"]): self._random.randrange(4)},
            lambda: {self._random.choice(["minItems", "maxItems"]): self._random.randrange(4)},
            lambda: {"required": self._random.sample(NAMES, self._random.randrange(3))},
            lambda: {"propertyNames": {"pattern": self._random.choice(PATTERNS)}},
            lambda: {"minProperties": self._random.randrange(3)},
            lambda: {"$ref": self._random.choice(["#/$defs/X", "#/$defs/Y"])},
        ]
        if depth < 4:

            def one() -> Schema:
                return self.schema(depth + 1)

            def several() -> list[Schema]:
                return [one() for _ in range(self._random.randrange(1, 4))]

            keywords += [
                lambda: {"properties": {name: one() for name in self._some_names()}},
                lambda: {"properties": {name: one() for name in self._some_names()}},
                lambda: {"patternProperties": {self._random.choice(PATTERNS): one()}},
                lambda: {"additionalProperties": self._random.choice([False, True, one()])},
                lambda: {"items": one()},
                lambda: {"prefixItems": several()},
                lambda: {self._random.choice(["contains", "not"]): one()},
                lambda: {self._random.choice(["anyOf", "oneOf", "allOf"]): several()},
                lambda: {"if": one(), "then": one(), "else": one()},
            ]
        schema: dict[str, Any] = {}
        for make in self._random.sample(keywords, self._random.choice([1, 1, 2, 2, 3, 4])):
            schema |= make()
        return schema

    def _some_names(self) -> list[str]:
        return self._random.sample(NAMES, self._random.randrange(1, 4))

    def _number(self) -> float:
        return self._random.choice(NUMBERS)

    def value(self, depth: int = 0) -> Any:
        """Return a random JSON value."""
        kind = self._random.randrange(4 if depth > 2 else 8)
        match kind:
            case 0:
                return self._random.choice([None, True, False])
            case 1:
                return self._number()
            case 2 | 3:
                return self._random.choice(TEXTS)
            case 4 | 5:
                return [self.value(depth + 1) for _ in range(self._random.randrange(4))]
            case _:
                return {name: self.value(depth + 1) for name in self._some_names()}


def orders(value: Any) -> int:
    """Return in how many orders the keys of a value's objects can be written."""
    if is_mapping(value):
        return math.factorial(len(value)) * math.prod(map(orders, value.values()))
    return math.prod(map(orders, listing(value)))


def texts(value: Any) -> Iterator[str]:
    """Yield the JSON texts of a value, with the keys of its objects in every order."""
    if is_mapping(value):
        for order in permutations(value):
            for members in product(*(list(texts(value[name])) for name in order)):
                pairs = zip(order, members, strict=True)
                inner = ", ".join(f"{json_text(name)}: {text}" for name, text in pairs)
                yield f"{{{inner}}}"
    elif isinstance(value, list):
        for items in product(*(list(texts(item)) for item in listing(value))):
            yield f"[{', '.join(items)}]"
    else:
        yield json_text(value) if isinstance(value, str) else json.dumps(value)

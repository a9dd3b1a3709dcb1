"""Generated schemas become types that a TypeScript parser accepts."""

from __future__ import annotations

import random
from typing import Any

import tree_sitter_typescript
from tree_sitter import Language, Parser

from ossia.harmony.rendering import typescript
from ossia.harmony.rendering.typescript import declarations

Schema = dict[str, Any]
TYPESCRIPT = Parser(Language(tree_sitter_typescript.language_typescript()))


class SchemaMaker:
    """A generator of schemas with all keywords; each seed gives the same schema."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def root_schema(self) -> Schema:
        names = ["Alpha", "Beta", "Gamma"]
        return self.schema() | {"$defs": {name: self.schema() for name in names}}

    def schema(self, depth: int = 0) -> Schema:
        leaves = [self._plain, self._plain, self._values, self._reference]
        make = self._random.choice(leaves if depth > 3 else [*leaves, *[self._nested] * 5])
        schema = make(depth)
        if self._random.random() < 0.3:
            schema["description"] = self._random.choice(["Says it.", "All */ of // it", "ü “x”"])
        if self._random.random() < 0.2:
            schema["default"] = self._random.choice([1, "x", None, [], {"a": [1.5]}])
        return schema

    def _few(self, depth: int) -> list[Schema]:
        return [self.schema(depth + 1) for _ in range(self._random.randrange(1, 4))]

    def _plain(self, _: int) -> Schema:
        kinds = ["string", "number", "integer", "boolean", "null", ["string", "null"]]
        return {"type": self._random.choice(kinds)}

    def _values(self, _: int) -> Schema:
        enums = [["a"], [1, 2], ["a", None, 2.5], [True]]
        return self._random.choice([{"enum": self._random.choice(enums)}, {"const": "x"}])

    def _reference(self, _: int) -> Schema:
        return {"$ref": f"#/$defs/{self._random.choice(['Alpha', 'Beta', 'Gamma', 'Gone'])}"}

    def _nested(self, depth: int) -> Schema:
        several = self._few(depth)
        names = self._random.sample(["city", "zipCode", "last_name", "$id"], len(several))
        return self._random.choice(
            [
                {"type": "object", "properties": dict(zip(names, several, strict=True))},
                {"type": "object", "additionalProperties": several[0]},
                {"type": "array", "items": several[0]},
                {"type": "array", "prefixItems": several},
                {"anyOf": several},
                {"allOf": several},
                {"type": "object", "properties": {"either": {"oneOf": several}}},
            ]
        )


def test_a_typescript_parser_accepts_every_type() -> None:
    for seed in range(500):
        schema = SchemaMaker(seed).root_schema()
        types = {**declarations(schema), "Whole": typescript(schema)}
        text = "\n".join(f"type {name} = {expression};" for name, expression in types.items())
        assert not TYPESCRIPT.parse(text.encode()).root_node.has_error, f"{seed}\n{text}"

"""The grammar admits every value that a schema admits, for the public test suite and at random."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import platformdirs
import pytest
from jsonschema import Draft202012Validator

from ossia.harmony import encode
from ossia.harmony.constrain import answer_grammar
from ossia.harmony.rendering import is_mapping
from tests.harmony.constrain.grammar_matching import match
from tests.harmony.constrain.random_schemas import RandomJson, orders, texts

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(300)]

MAX_ORDERS = 24
DRAFTS = {
    "draft4": "http://json-schema.org/draft-04/schema#",
    "draft7": "http://json-schema.org/draft-07/schema#",
    "draft2020-12": "https://json-schema.org/draft/2020-12/schema",
}
REFUSED_FOR_A_REASON = {
    # A format is enforced: a date field that admits any text would be of little use.
    "date format": "06/19/1963",
    "duration format": "PT1D",
    "email format": "2962",
    "ipv4 format": "127.0.0.0.1",
    "time format": "08:30:06 PST",
    "uri format": "//foo.bar/?baz=qux#quux",
    "uuid format": "2eb8aa08-aa98-11ea-b4aa-73b441d1638",
    # Its metaschema, which is not in the document, says that `minimum` has no meaning.
    "schema that uses custom metaschema with with no validation vocabulary": {"numberProperty": 1},
}


class Case(NamedTuple):
    """A value, and whether a schema allows it."""

    schema: Mapping[str, Any] | bool
    value: Any
    valid: bool
    name: str = ""


def admitted(cases: list[Case]) -> list[bool]:
    """Return for each case whether the grammar admits the value with its keys in some order."""
    by_schema: dict[int, list[int]] = {}
    for index, case in enumerate(cases):
        by_schema.setdefault(id(case.schema), []).append(index)
    written = [list(texts(case.value)) for case in cases]
    results = match(
        [
            (
                answer_grammar(cases[indexes[0]].schema),
                [encode(text) for index in indexes for text in written[index]],
            )
            for indexes in by_schema.values()
        ]
    )
    found = [False] * len(cases)
    for indexes, rejected_at in zip(by_schema.values(), results, strict=True):
        outcomes = iter(rejected_at)
        for index in indexes:
            found[index] = None in list(islice(outcomes, len(written[index])))
    return found


def suite(draft: str) -> Iterator[Case]:
    """Yield the cases of the JSON Schema Test Suite."""
    folder = suites() / "jsonschema==4.26.0" / "json" / "tests" / draft
    for path in sorted(folder.rglob("*.json")):
        for group in json.loads(path.read_text(encoding="utf-8")):
            schema = group["schema"]
            if is_mapping(schema):
                # The suite's schemas are of the draft that their folder names.
                schema = {"$schema": DRAFTS[draft], **schema}
            for test in group["tests"]:
                yield Case(schema, test["data"], test["valid"], group["description"])


def suites() -> Path:
    return platformdirs.user_cache_path("ossia") / "suites"


@pytest.mark.suites
@pytest.mark.parametrize("draft", DRAFTS)
def test_no_valid_value_of_the_public_suite_is_refused(draft: str) -> None:
    cases = list(suite(draft))
    outcomes = Counter[tuple[bool, bool]]()
    refused: dict[str, Any] = {}
    for case, is_admitted in zip(cases, admitted(cases), strict=True):
        outcomes[case.valid, is_admitted] += 1
        if case.valid and not is_admitted:
            refused[case.name] = case.value
    assert refused == (REFUSED_FOR_A_REASON if draft == "draft2020-12" else {})
    assert outcomes[True, True] > 450
    # What the grammar admits must still be validated. It refuses most of the wrong values.
    assert outcomes[False, False] > 0.45 * (outcomes[False, False] + outcomes[False, True])


def test_no_valid_value_of_a_random_schema_is_refused() -> None:
    cases = list[Case]()
    for seed in range(100):
        generator = RandomJson(seed)
        schema = generator.root_schema()
        validator: Any = Draft202012Validator(schema)
        values = [value for _ in range(100) if orders(value := generator.value()) <= MAX_ORDERS]
        try:
            cases += [Case(schema, value, validator.is_valid(value)) for value in values]
        except RecursionError:
            # A definition that only refers to itself says nothing.
            continue
    outcomes = Counter[tuple[bool, bool]]()
    for case, is_admitted in zip(cases, admitted(cases), strict=True):
        outcomes[case.valid, is_admitted] += 1
        assert is_admitted or not case.valid, (case.schema, case.value)
    assert outcomes[True, True] > 2_000
    assert outcomes[False, False] > 2_000


# Each: a schema, values that the grammar admits, values that it refuses.

STRING = {"type": "string"}
A = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
KINDS: dict[str, tuple[Any, list[Any], list[Any]]] = {
    "a pattern is a search": (
        {**STRING, "pattern": "^https?://"},
        ["https://", "http://example.org/a?b"],
        ["ftp://a", "x https://"],
    ),
    "anchored at the start": ({**STRING, "pattern": "^A-"}, ["A-", "A-1 b"], ["B-A-", ""]),
    "anchored at the end": ({**STRING, "pattern": r"\.md$"}, [".md", "a/b.md"], ["a.mdx", "md"]),
    "alternatives": ({**STRING, "pattern": "foo|bar"}, ["foo", "a bar b"], ["fo", "bazr"]),
    "alternatives with anchors": (
        {**STRING, "pattern": "^foo|bar$"},
        ["foo!", "a bar"],
        ["a foo!", "bar b"],
    ),
    "no anchor": ({**STRING, "pattern": "abc"}, ["abc", "xabcx"], ["ab c"]),
    "an empty pattern": ({**STRING, "pattern": ""}, ["", "anything"], [5]),
    "characters that JSON escapes": (
        {**STRING, "pattern": '^"\\\\n?\n$'},
        ['"\\\n', '"\\n\n'],
        ['"n\n', "\\\n"],
    ),
    "two patterns": (
        {**STRING, "pattern": "^a", "allOf": [{"pattern": "z$"}]},
        ["az", "a to z"],
        ["a", "z", "ba z"],
    ),
    "a pattern that only validation can check": (
        {**STRING, "pattern": r"^(?=.*\d)(\w)\1+$"},
        ["11", "anything"],
        [11],
    ),
    "keys of a pattern": (
        {"patternProperties": {"^n_": {"type": "integer"}}, "additionalProperties": STRING},
        [{"n_a": 1, "b": "x"}, {}, {"xn_": "x"}],
        [{"n_a": "x"}, {"b": 1}],
    ),
    "names of keys": (
        {"type": "object", "propertyNames": {"pattern": "^[a-z]+$"}},
        [{"a": 1}, {}],
        [{"A": 1}],
    ),
    "properties beside allOf": (
        {
            "$defs": {"A": A},
            "allOf": [{"$ref": "#/$defs/A"}],
            "type": "object",
            "properties": {"b": STRING},
            "required": ["b"],
        },
        [{"b": "x", "a": 1}],
        [{"a": 1}, {"b": "x"}, {"b": 1, "a": 1}],
    ),
    "properties beside anyOf": (
        {"anyOf": [A, {"required": ["c"]}], "properties": {"b": STRING}, "required": ["b"]},
        [{"b": "x", "a": 1}, {"b": "x", "c": None}],
        [{"b": "x"}, {"a": 1}],
    ),
    "properties beside a reference": (
        {"$defs": {"A": A}, "$ref": "#/$defs/A", "properties": {"b": STRING}, "required": ["b"]},
        [{"b": "x", "a": 1}],
        [{"a": 1}, {"b": "x"}],
    ),
    "contains": ({"type": "array", "contains": {"const": 1}}, [[2, 1], [1]], [{"a": 1}]),
    "a required name without a schema": (
        {"type": "object", "properties": {"a": STRING}, "required": ["a", "b"]},
        [{"a": "x", "b": [1]}],
        [{"a": "x"}],
    ),
    "nullable": ({**STRING, "nullable": True}, ["a", None], [5]),
    "a tuple of an old draft": (
        {"type": "array", "items": [STRING, {"type": "integer"}], "additionalItems": False},
        [["a", 1], ["a"], []],
        [[1], ["a", 1, 2]],
    ),
    "no properties": ({"type": "object", "properties": None}, [{"a": 1}], [1]),
    "a reference through an index": (
        {"anyOf": [STRING, {"type": "array", "items": {"$ref": "#/anyOf/0"}}]},
        ["a", ["a"]],
        [[1]],
    ),
    "a reference with a percent sign": (
        {"$ref": "#/$defs/a%20b", "$defs": {"a b": {"type": "integer"}}},
        [5],
        ["a"],
    ),
    "a reference to false": (
        {"type": "object", "properties": {"a": {"$ref": "#/$defs/no"}}, "$defs": {"no": False}},
        [{}, {"b": 1}],
        [{"a": 1}],
    ),
    "Unicode classes in keys": (
        {"patternProperties": {r"^\p{L}+$": {"type": "integer"}}, "additionalProperties": False},
        [{"é": 1, "a": 2}],
        [{"1": 1}, {"a": "x"}],
    ),
    "an exclusive minimum of draft 4": (
        {"type": "integer", "minimum": 3, "exclusiveMinimum": True},
        [4, 100],
        [3, -4],
    ),
    "no values": ({"enum": []}, ["anything"], []),
    "an unknown type": ({"type": "file"}, ["anything", 5], []),
    "a missing reference": ({"$ref": "#/$defs/none"}, ["anything", 5], []),
    "a reference to itself": ({"$ref": "#"}, ["anything", 5], []),
    "integers with a zero fraction": ({"type": "integer", "minimum": 0}, [1.0, 5], [1.5, -1]),
    "no type": ({"minLength": 2, "minimum": 3, "items": STRING}, ["ab", 5, ["a"]], [2, [1]]),
    "an object that is open": (
        {"type": "object", "properties": {"a": STRING}},
        [{"a": "x", "more": 1}, {"more": [1]}],
        [{"a": 1}, {"more": 1, "a": 1}],
    ),
    "an object that is closed": (
        {"type": "object", "additionalProperties": False},
        [{}],
        [{"a": 1}],
    ),
    "the names of control tokens": (
        {"enum": ["<|end|>", "<<|"], "type": "string"},
        ["<|end|>", "<<|"],
        ["end"],
    ),
}


@cache
def outcomes_of_kinds() -> list[tuple[Case, bool]]:
    """Match all of them at once: starting the matcher takes seconds."""
    cases = [
        Case(schema, value, is_valid, name)
        for name, (schema, valid, invalid) in KINDS.items()
        for is_valid, values in ((True, valid), (False, invalid))
        for value in values
    ]
    return list(zip(cases, admitted(cases), strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_the_grammar_admits_what_the_schema_does(kind: str) -> None:
    for case, is_admitted in outcomes_of_kinds():
        if case.name == kind:
            assert is_admitted == case.valid, case.value

"""Numbers within bounds."""

from __future__ import annotations

import json
from itertools import product
from typing import Any

import pytest

from ossia.harmony import encode
from ossia.harmony.constrain import answer_grammar
from tests.harmony.constrain.grammar_matching import match

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(120)]

LIMITS = (-1205, -100, -99, -10, -7, -1, 0, 1, 5, 9, 10, 11, 42, 99, 100, 101, 999, 1000, 1234)
BOUNDS = (None, *LIMITS)
INTEGERS = sorted({near for b in LIMITS for near in (b - 1, b, b + 1, 10 * b)})


def schema(kind: str, low: float | None, high: float | None) -> dict[str, Any]:
    bounds = {"minimum": low, "maximum": high}
    return {"type": kind} | {key: bound for key, bound in bounds.items() if bound is not None}


def test_an_integer_is_admitted_exactly_if_it_is_within_its_bounds() -> None:
    pairs = [(a, b) for a, b in product(BOUNDS, BOUNDS) if a is None or b is None or a <= b]
    turns = [encode(str(number)) for number in INTEGERS]
    results = match([(answer_grammar(schema("integer", *pair)), turns) for pair in pairs])
    for (low, high), rejected_at in zip(pairs, results, strict=True):
        for number, at in zip(INTEGERS, rejected_at, strict=True):
            is_within = (low is None or low <= number) and (high is None or number <= high)
            assert (at is None) == is_within, (low, high, number)


NUMBERS = (0, 0.5, -0.5, 1, 1.5, -1.5, 2.25, 9.99, -10.5, 100, 1e-7, -1e-7, 1e22, 123.456)


def test_no_number_within_its_bounds_is_refused() -> None:
    edges = (None, -10.5, -1, -0.5, 0, 0.25, 1, 2.5, 100)
    pairs = [(a, b) for a, b in product(edges, edges) if a is None or b is None or a <= b]
    turns = [encode(json.dumps(number)) for number in NUMBERS]
    results = match([(answer_grammar(schema("number", *pair)), turns) for pair in pairs])
    refused = 0
    for (low, high), rejected_at in zip(pairs, results, strict=True):
        for number, at in zip(NUMBERS, rejected_at, strict=True):
            is_within = (low is None or low <= number) and (high is None or number <= high)
            assert at is None or not is_within, (low, high, number)
            refused += at is not None
    # Most of the others are refused, by their sign or by the digits before the point.
    assert refused > 200


@pytest.mark.parametrize(
    ("bounds", "valid", "invalid"),
    [
        ({"exclusiveMinimum": 3, "exclusiveMaximum": 6}, ["4", "5"], ["3", "6"]),
        ({"exclusiveMinimum": 2.5, "maximum": 4.5}, ["3", "4"], ["2", "5"]),
        ({"minimum": 3, "exclusiveMinimum": True}, ["4"], ["3"]),
        ({"minimum": 3, "exclusiveMinimum": False}, ["3"], ["2"]),
        ({"minimum": 10**50}, ["1", "-5"], ["x"]),
        ({"minimum": "3"}, ["1"], ["x"]),
        ({"minimum": 5, "maximum": 4}, ["0", '"any"'], []),
    ],
)
def test_bounds_of_integers(bounds: dict[str, Any], valid: list[str], invalid: list[str]) -> None:
    grammar = answer_grammar({"type": "integer", **bounds})
    (rejected_at,) = match([(grammar, [encode(text) for text in [*valid, *invalid]])])
    assert [at is None for at in rejected_at] == [True] * len(valid) + [False] * len(invalid)

"""Expressions of the JSON numbers within bounds."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction

from .ebnf import either, literal

_MAX_DIGITS = 40
"""A bound with more digits is left to validation."""
_WHOLE = '("." "0")? ([eE] "+"? [0-9]+)?'
"""JSON Schema counts 5.0 and 1e9 as integers."""
_FRACTION = '("." [0-9]+)?'
_WITH_EXPONENT = '[0-9] ("." [0-9]+)? [eE] [+\\-]? [0-9]+'


def integer_expression(low: Fraction | None, high: Fraction | None) -> str | None:
    """Return the expression of the integers within bounds, or None if there are none."""
    first = _known(None if low is None else math.ceil(low))
    last = _known(None if high is None else math.floor(high))
    if first is not None and last is not None and first > last:
        return None
    if first is None and last is None:
        return f'"-"? {_digits(0, None)} {_WHOLE}'
    signed = list[str]()
    if last is None or last >= 0:
        signed.append(_digits(max(first or 0, 0), last))
    if first is None or first < 0:
        magnitude = _digits(1 if last is None else max(-last, 1), None if first is None else -first)
        signed.append(f'"-" {magnitude}')
    return f'{either(signed)} ("." "0")?'


def number_expression(low: Fraction | None, high: Fraction | None) -> str | None:
    """Return the expression of the numbers within bounds, or None if there are none.

    The sign and the digits before the point are within the bounds. The digits after it, and numbers
    with an exponent, are left to validation.
    """
    if low is None and high is None:
        return f'"-"? {_digits(0, None)} {_FRACTION} ([eE] [+\\-]? [0-9]+)?'
    if low is not None and high is not None and low > high:
        return None
    expressions = list[str]()
    if high is None or high >= 0:
        least = _known(None if low is None else max(math.floor(low), 0))
        most = _known(None if high is None else math.floor(high))
        expressions += [f"{_digits(least or 0, most)} {_FRACTION}", _WITH_EXPONENT]
    if low is None or low < 0:
        least = _known(None if high is None else max(math.floor(-high), 0))
        most = _known(None if low is None else math.floor(-low))
        expressions += [f'"-" {_digits(least or 0, most)} {_FRACTION}', f'"-" {_WITH_EXPONENT}']
    return either(expressions)


def _known(bound: int | None) -> int | None:
    return None if bound is None or abs(bound) >= 10**_MAX_DIGITS else bound


def _digits(least: int, most: int | None) -> str:
    """Return the expression of the natural numbers from `least` to `most`."""
    if most is None:
        if least <= 1:
            return '("0" | [1-9] [0-9]*)' if least == 0 else "[1-9] [0-9]*"
        length = len(str(least))
        longer = f"[1-9] [0-9]{{{length},}}"
        return either([*_between(str(least), "9" * length), longer])
    expressions = list[str]()
    for length in range(len(str(least)), len(str(most)) + 1):
        first = max(least, 10 ** (length - 1) if length > 1 else 0)
        expressions += _between(str(first), str(min(most, 10**length - 1)))
    return either(expressions)


def _between(first: str, last: str) -> Iterator[str]:
    """Yield the expressions of the numbers from `first` to `last`, which have as many digits."""
    if first == last:
        yield literal(first)
        return
    common = next(i for i, (a, b) in enumerate(zip(first, last, strict=True)) if a != b)
    prefix = f"{literal(first[:common])} " if common else ""
    rest = len(first) - common - 1
    low, high = int(first[common]), int(last[common])
    if first[common + 1 :].strip("0"):
        for tail in _between(first[common + 1 :], "9" * rest):
            yield f'{prefix}"{low}" {tail}'
        low += 1
    if last[common + 1 :].strip("9"):
        for tail in _between("0" * rest, last[common + 1 :]):
            yield f'{prefix}"{high}" {tail}'
        high -= 1
    if low <= high:
        digit = f'"{low}"' if low == high else f"[{low}-{high}]"
        yield f"{prefix}{digit}" + (f" [0-9]{{{rest}}}" if rest else "")

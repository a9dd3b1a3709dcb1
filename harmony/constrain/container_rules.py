"""Expressions of the JSON objects and arrays with given members."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .ebnf import Rules

WS = "ws"
"""The rule of white space: at most one character. A weak model could write it forever."""
MAX_ITEMS = 1024
"""The highest array bound to keep; a grammar with higher ones takes seconds to compile."""
_COMMA = f'{WS} "," {WS}'


@dataclass(frozen=True, slots=True)
class Member:
    """A declared member of an object."""

    text: str
    """The expression of its key and its value."""
    required: bool


def object_expression(rules: Rules, stem: str, members: Sequence[Member], other: str | None) -> str:
    """Return the expression of an object with members in this order.

    stem: what the names of new rules begin with.
    other: the expression of one further member; None if there can be none.
    """
    end = f'{WS} "}}"'
    tail = end if other is None else _rule(rules, f"{stem}_end", f"({_COMMA} {other})* {end}")
    # `head` is what follows the opening brace, `tail` what follows the first member.
    head = '"}"' if other is None else f'({other} {tail} | "}}")'
    for member in reversed(members):
        if member.required:
            head = f"{member.text} {tail}"
            tail = f"{_COMMA} {member.text} {tail}"
        else:
            tail = _rule(rules, f"{stem}_tail", tail)
            head = f"({member.text} {tail} | {_rule(rules, f'{stem}_head', head)})"
            tail = _rule(rules, f"{stem}_tail", f"{_COMMA} {member.text} {tail} | {tail}")
    return f'"{{" {WS} {head}'


def array_expression(
    rules: Rules,
    stem: str,
    first: Sequence[str],
    other: str | None,
    least: int,
    most: int | None,
) -> str | None:
    """Return the expression of an array; None if no array has as many items.

    first: the expressions of the first items.
    other: the expression of any further item; None if there can be none.
    """
    if other is None:
        most = len(first) if most is None else min(most, len(first))
    if most is not None and least > most:
        return None
    most = most if most is not None and most <= MAX_ITEMS else None
    least = min(least, MAX_ITEMS)
    end = f'{WS} "]"'
    first = first[:most]
    tail = end
    if other is not None and most != len(first):
        tail = f"({_COMMA} {other}){_times(least - len(first), most, len(first))} {end}"
    for index in range(len(first) - 1, 0, -1):
        tail = f"{_COMMA} {first[index]} {tail}"
        if index >= least:
            tail = _rule(rules, f"{stem}_tail", f"{tail} | {end}")
    if first:
        head = f"{first[0]} {tail}"
    elif other is not None and most != 0:
        head = f"{other} ({_COMMA} {other}){_times(least - 1, most, 1)} {end}"
    else:
        return f'"[" {WS} "]"'
    return f'"[" {WS} {head}' if least else f'"[" {WS} ({head} | "]")'


def _times(least: int, most: int | None, written: int) -> str:
    """Return the quantifier of the items that follow the ones already written."""
    least = max(least, 0)
    if most is None:
        return f"{{{least},}}" if least else "*"
    return f"{{{least},{most - written}}}"


def _rule(rules: Rules, stem: str, body: str) -> str:
    """Return a name for an expression, which must be used more than once."""
    return body if body in rules else rules.define(rules.new_name(stem), body)

"""Short texts that match a regular expression."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any

# The parser of `re` itself, so that every syntax of `re` is read correctly. It is private, but it
# has been the same since Python 3.11; hypothesis uses it as well. Any, because it has no stubs.
_parser: Any = import_module("re._parser")

_PRINTABLE = "a0A" + "".join(map(chr, range(32, 127)))
"""The characters to try, the most readable ones first."""
_CATEGORIES = {
    "CATEGORY_DIGIT": r"\d",
    "CATEGORY_NOT_DIGIT": r"\D",
    "CATEGORY_SPACE": r"\s",
    "CATEGORY_NOT_SPACE": r"\S",
    "CATEGORY_WORD": r"\w",
    "CATEGORY_NOT_WORD": r"\W",
}


def texts_matching(pattern: str, variant: int = 0, *, min_length: int = 0) -> Iterator[str]:
    r"""Yield texts that match a pattern, the shortest first.

    min_length: how long the longest text must be, if the pattern allows it.
    variant: another number gives other characters where the pattern allows them.

    A pattern with lookarounds or backreferences yields only texts that happen to match. One that
    `re` cannot read, such as `\p{L}`, yields nothing.
    """
    try:
        compiled = re.compile(pattern)
        parsed = _parser.parse(pattern)
    except (re.error, OverflowError):
        return
    last = None
    for extra in range(min_length + 1):
        text = _text(parsed, extra, variant)
        if text != last and compiled.search(text):
            yield text
        last = text


def _text(parsed: Any, extra: int, variant: int) -> str:
    """Return the text of a parsed pattern.

    extra: how many times more than necessary each part is repeated, if it may be.
    """
    return "".join(_part(str(kind), value, extra, variant) for kind, value in parsed)


def _part(kind: str, value: Any, extra: int, variant: int) -> str:
    match kind:
        case "LITERAL":
            return chr(value)
        case "NOT_LITERAL" | "ANY" | "IN":
            return _character(kind, value, variant)
        case "BRANCH":
            branches = value[1]
            return _text(branches[variant % len(branches)], extra, variant)
        case "SUBPATTERN" | "ATOMIC_GROUP":
            return _text(value[3] if kind == "SUBPATTERN" else value, extra, variant)
        case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
            least, most, repeated = value
            count = min(int(most), int(least) + extra)
            return "".join(_text(repeated, 0, variant) for _ in range(count))
        case _:  # anchors have no text; what is left is not supported, and checked by the caller
            return ""


def _character(kind: str, value: Any, variant: int) -> str:
    """Return a character of a class."""
    allowed = [char for char in dict.fromkeys(_PRINTABLE) if _is_in(kind, value, char)]
    if allowed:
        return allowed[variant % len(allowed)]
    positive = [item for item in value if str(item[0]) in {"LITERAL", "RANGE"}] if value else []
    for name, item in positive:
        return chr(item if str(name) == "LITERAL" else item[0])
    return ""


def _is_in(kind: str, value: Any, char: str) -> bool:
    if kind == "ANY":
        return True
    if kind == "NOT_LITERAL":
        return chr(value) != char
    is_negated, is_listed = False, False
    for name, item in value:
        match str(name):
            case "NEGATE":
                is_negated = True
            case "LITERAL":
                is_listed |= ord(char) == item
            case "RANGE":
                is_listed |= item[0] <= ord(char) <= item[1]
            case _:
                category = _CATEGORIES.get(str(item))
                is_listed |= category is not None and re.match(category, char) is not None
    return is_listed != is_negated

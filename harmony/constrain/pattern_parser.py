"""Regular expressions as trees.

The syntax is what ECMAScript (JSON Schema's own), Rust (pydantic's) and Python have in common.
Where they differ in what a class of characters contains, the caller chooses a side.
"""

from __future__ import annotations

import re
import string
import unicodedata
from dataclasses import dataclass
from typing import Literal

from .characters import ANY, NOT_ASCII, Characters

_MAX_DEPTH = 50


class UnsupportedPatternError(Exception):
    """The pattern has syntax that is not read here, or is too large; its text says which."""


@dataclass(frozen=True, slots=True)
class Sequence:
    """Parts one after the other."""

    parts: tuple[Pattern, ...]


@dataclass(frozen=True, slots=True)
class Alternatives:
    """One of several patterns."""

    branches: tuple[Pattern, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """A pattern, repeated between `least` and `most` times; None means without a limit."""

    part: Pattern
    least: int
    most: int | None


Anchor = Literal["^", "$"]
"""The start or the end of the text."""
Pattern = Characters | Anchor | Sequence | Alternatives | Repeat


@dataclass(frozen=True, slots=True)
class _Class:
    r"""The characters of a class such as `\w`.

    certain: what all dialects match; its complement is what the negated class may match.
    possible: what at least one of the dialects matches.
    """

    certain: Characters
    possible: Characters

    def __invert__(self) -> _Class:
        return _Class(~self.possible, ~self.certain)

    def __or__(self, other: _Class) -> _Class:
        return _Class(self.certain | other.certain, self.possible | other.possible)


_DIGITS = Characters.listed(string.digits)
_WORD = Characters.listed(string.ascii_letters + string.digits + "_")
_SPACE = Characters.listed(" \t\n\r\f\v")
_LOWER_CLASSES = {
    "d": _Class(_DIGITS, _DIGITS | NOT_ASCII),
    "w": _Class(_WORD, _WORD | NOT_ASCII),
    "s": _Class(_SPACE, _SPACE | Characters.listed("\x1c\x1d\x1e\x1f") | NOT_ASCII),
}
_CLASSES = _LOWER_CLASSES | {name.upper(): ~found for name, found in _LOWER_CLASSES.items()}
_NEWLINES = Characters.listed("\n\r\u2028\u2029")
_DOT = ~_Class(Characters.listed("\n"), _NEWLINES)
_ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "v": "\v", "0": "\0", "a": "\a"}
_HEX_DIGITS = {"x": 2, "u": 4, "U": 8}


def parse_pattern(pattern: str, *, certain: bool) -> Pattern:
    r"""Return the tree of a regular expression.

    certain: whether a class such as `\w` has only the characters that are in it for all dialects,
        or all that are in it for at least one.

    Raises UnsupportedPatternError.
    """
    return _Parser(pattern, is_certain=certain).parse()


class _Parser:
    """A parser by recursive descent."""

    def __init__(self, text: str, *, is_certain: bool) -> None:
        self._text = text
        self._is_certain = is_certain
        self._at = 0
        self._depth = 0
        self._ignores_case = False
        self._dot = self._side(_DOT)

    def parse(self) -> Pattern:
        if flags := re.match(r"\(\?([a-z]+)\)", self._text):
            if not set(flags[1]) <= set("isu"):
                raise UnsupportedPatternError(f"flags {flags[1]}")
            self._ignores_case = "i" in flags[1]
            self._dot = ANY if "s" in flags[1] else self._dot
            self._at = flags.end()
        found = self._alternatives()
        if self._at < len(self._text):
            raise UnsupportedPatternError("a parenthesis is closed but not open")
        return found

    def _side(self, found: _Class) -> Characters:
        return found.certain if self._is_certain else found.possible

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _take(self, text: str) -> bool:
        if self._text.startswith(text, self._at):
            self._at += len(text)
            return True
        return False

    def _next(self) -> str:
        char = self._peek()
        if not char:
            raise UnsupportedPatternError("it ends too early")
        self._at += 1
        return char

    def _match(self, pattern: str) -> re.Match[str] | None:
        if found := re.compile(pattern).match(self._text, self._at):
            self._at = found.end()
        return found

    def _alternatives(self) -> Pattern:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise UnsupportedPatternError("it is nested too deeply")
        branches: list[Pattern] = [self._sequence()]
        while self._take("|"):
            branches.append(self._sequence())
        self._depth -= 1
        return branches[0] if len(branches) == 1 else Alternatives(tuple(branches))

    def _sequence(self) -> Pattern:
        parts = list[Pattern]()
        while (char := self._peek()) and char not in "|)":
            parts.append(self._quantified(self._atom()))
        return Sequence(tuple(parts))

    def _quantified(self, part: Pattern) -> Pattern:
        found = self._match(r"(?:([*+?])|\{(\d+)(,?)(\d*)\})([?+]?)")
        if not found:
            return part
        sign, least, comma, most, suffix = found.groups()
        if suffix == "+" or self._peek() in set("*+?"):
            raise UnsupportedPatternError("a possessive or repeated quantifier")
        if sign:
            return Repeat(part, int(sign == "+"), 1 if sign == "?" else None)
        if not comma:
            return Repeat(part, int(least), int(least))
        return Repeat(part, int(least), int(most) if most else None)

    def _atom(self) -> Pattern:
        match char := self._next():
            case "^" | "$":
                return char
            case "(":
                return self._group()
            case "[":
                return self._character_class()
            case ".":
                return self._dot
            case "\\":
                return self._escape()
            case "*" | "+" | "?":
                raise UnsupportedPatternError(f"nothing before {char}")
            case _:
                return self._side(self._exactly(char))

    def _group(self) -> Pattern:
        if not self._match(r"\?:|\?P?<[A-Za-z_]\w*>") and self._peek() == "?":
            raise UnsupportedPatternError("a group that looks around, or has flags")
        found = self._alternatives()
        if not self._take(")"):
            raise UnsupportedPatternError("a parenthesis is not closed")
        return found

    def _escape(self) -> Pattern:
        if self._match("A"):
            return "^"
        if self._match("[zZ]"):
            return "$"
        escaped = self._escaped()
        return self._side(self._exactly(escaped) if isinstance(escaped, str) else escaped)

    def _escaped(self) -> str | _Class:
        """Read what follows a backslash: a character or a class."""
        char = self._next()
        if char in _CLASSES:
            return _CLASSES[char]
        if char in "pP" and (found := self._match(r"\{\^?([\w=:.-]+)\}|([A-Z])")):
            return _unicode_class(
                found[1] or found[2], is_negated=(char == "P") != ("^" in found[0])
            )
        if char in _HEX_DIGITS:
            return self._hexadecimal(char)
        if char == "c" and (found := self._match("[A-Za-z]")):
            return chr(ord(found[0]) % 32)
        if char in _ESCAPES and not (char == "0" and self._peek().isdigit()):
            return _ESCAPES[char]
        if char.isascii() and char.isalnum():
            raise UnsupportedPatternError(f"\\{char}")
        return char

    def _hexadecimal(self, kind: str) -> str:
        digits = f"[0-9A-Fa-f]{{{_HEX_DIGITS[kind]}}}"
        found = self._match(rf"\{{([0-9A-Fa-f]{{1,8}})\}}|({digits})")
        if not found:
            raise UnsupportedPatternError(f"\\{kind} without its digits")
        code = int(found[1] or found[2], 16)
        if 0xD800 <= code < 0xDC00 and (low := self._match(r"\\u([Dd][C-Fc-f][0-9A-Fa-f]{2})")):
            code = 0x10000 + ((code & 0x3FF) << 10) + (int(low[1], 16) & 0x3FF)
        if code > ANY.ranges[0][1]:
            raise UnsupportedPatternError(f"no character has the code {code:x}")
        return chr(code)

    def _character_class(self) -> Characters:
        is_negated = self._take("^")
        found = _Class(Characters(), Characters())
        is_first = True
        while is_first or self._peek() != "]":
            if is_first and self._peek() == "]":
                # Empty in ECMAScript; in the other dialects the bracket is a member.
                raise UnsupportedPatternError("a class that begins with a bracket")
            if self._match(r"\[|&&|--|~~"):
                raise UnsupportedPatternError("a class within a class")
            found |= self._class_item()
            is_first = False
        self._next()
        return self._side(~found if is_negated else found)

    def _class_item(self) -> _Class:
        first = self._class_character()
        if not isinstance(first, str):
            return first
        if not self._match(r"-(?!\])"):
            return self._exactly(first)
        last = self._class_character()
        if not isinstance(last, str) or ord(last) < ord(first):
            raise UnsupportedPatternError("a range without a last character")
        return self._exactly(first, last)

    def _class_character(self) -> str | _Class:
        if self._take("\\"):
            return "\b" if self._take("b") else self._escaped()
        return self._next()

    def _exactly(self, first: str, last: str = "") -> _Class:
        """Return the class of a character, or of a range, without regard to case if so chosen."""
        characters = Characters.of((ord(first), ord(last or first)))
        if not self._ignores_case:
            return _Class(characters, characters)
        letters = (char for char in string.ascii_letters if char in characters)
        certain = characters | Characters.listed(char.swapcase() for char in letters)
        # Some letters outside ASCII are other cases of those in it, such as the Kelvin sign.
        return _Class(certain, certain | NOT_ASCII)


def _unicode_class(name: str, *, is_negated: bool) -> _Class:
    """Return the class of a general category; of other properties, nothing is known."""
    found = _Class(Characters(), ANY)
    if re.fullmatch("[LMNPSZC][a-z]?", name):
        ascii_part = (chr(code) for code in range(0x80))
        members = (char for char in ascii_part if unicodedata.category(char).startswith(name))
        certain = Characters.listed(members)
        found = _Class(certain, certain | NOT_ASCII)
    return ~found if is_negated else found

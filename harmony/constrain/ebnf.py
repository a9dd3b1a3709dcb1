"""Grammars in the EBNF of xgrammar, built rule by rule.

Source: xgrammar 0.2.8, "EBNF" and its printed grammars, which also have token ids and budgets.
"""

from __future__ import annotations

from collections.abc import Iterable

from .characters import Characters


class Rules:
    """The rules of a grammar, by name."""

    def __init__(self) -> None:
        self._bodies: dict[str, str] = {}
        self._budgets: dict[str, int] = {}
        self._counts: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._bodies)

    def new_name(self, stem: str) -> str:
        """Reserve and return a name that no other rule has; `define` must follow."""
        count = self._counts[stem] = self._counts.get(stem, 0) + 1
        name = stem if count == 1 else f"{stem}_{count}"
        self._bodies[name] = ""
        return name

    def define(self, name: str, body: str, max_tokens: int | None = None) -> str:
        """Set the body of a rule; return its name.

        max_tokens: the most tokens that the rule may take, if it calls itself for each of them.
        """
        self._bodies[name] = body
        if max_tokens is not None:
            self._budgets[name] = max_tokens
        return name

    def __contains__(self, name: str) -> bool:
        return name in self._bodies

    def text(self) -> str:
        """Return the grammar; it starts at the rule `root`."""
        budgets = {name: f"[max_tokens={count}]" for name, count in self._budgets.items()}
        rules = (f"{name}{budgets.get(name, '')} ::= {body}" for name, body in self._bodies.items())
        return "\n".join(rules) + "\n"


def literal(text: str) -> str:
    """Return the expression of exactly this text."""
    return '"' + "".join(_escape(char, '"') for char in text) + '"'


def character_class(characters: Characters) -> str:
    """Return the expression of one character of a non-empty set."""
    parts = (
        _escape(chr(low), "^-[]") + ("" if low == high else f"-{_escape(chr(high), '^-[]')}")
        for low, high in characters.ranges
    )
    return f"[{''.join(parts)}]"


def either(expressions: Iterable[str]) -> str:
    """Return an expression that matches what any of the expressions matches."""
    unique = list(dict.fromkeys(expressions))
    return unique[0] if len(unique) == 1 else f"({' | '.join(unique)})"


def _escape(char: str, special: str) -> str:
    code = ord(char)
    if char == "\\" or char in special:
        return f"\\{char}"
    if 0x20 <= code < 0x7F:
        return char
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"

"""A lexer for headers: it splits text into words, and finds the field of each word."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from ..format import CHANNELS, ROLES

CONTENT_TYPES = frozenset({"json", "code", "text", "xml", "yaml", "markdown", "html"})
NAME_PATTERN = re.compile(r"[^\W\d][\w.:/+-]*")
"""The pattern of a name of a channel, tool or content type."""

Field = Literal["role", "channel", "recipient", "content_type", "unknown"]

_SPACE = re.compile(r"\s*")
_TO = re.compile(r"""to=\s*["'`]?([^\s<>{}\[\]()"'`,;|]*)["'`]?""")
_WORD = re.compile(r'[^\s{\["(]+|\S')
_KNOWN_WORDS = (*CHANNELS, *sorted(ROLES))
_NAMESPACES = ("functions.", "browser.")


class Word(NamedTuple):
    """A word, or a part of several words written together."""

    field: Field
    value: str
    at: int
    """The index of its first character in the text."""
    has_to: bool = False
    """Whether `to=` precedes it."""


def split_words(text: str, known: frozenset[str]) -> Iterator[Word]:
    """Yield the words of a segment of a header.

    known: recipients that exist; they are recognized without `to=` too.
    """
    at = 0
    while space := _SPACE.match(text, at):
        at = space.end()
        if at == len(text):
            return
        if to := _TO.match(text, at):
            yield from _recipient(to.group(1), at, text[to.end() : to.end() + 1])
            at = to.end()
        elif match := _WORD.match(text, at):
            word = _first_word(match.group(), known)
            yield Word(_field(word, known), word, at)
            at += len(word)


def _recipient(name: str, at: int, next_char: str) -> Iterator[Word]:
    # `to=functions.fjson{"a": 1}`: the content type is between the name and the arguments.
    if next_char == "{" and name.endswith("json"):
        yield Word("recipient", name.removesuffix("json"), at, has_to=True)
        yield Word("content_type", "json", at)
    else:
        yield Word("recipient", name, at, has_to=True)


def _field(word: str, known: frozenset[str]) -> Field:
    if word.partition(":")[0] in ROLES:
        return "role"
    if word in CHANNELS:
        return "channel"
    if word.lower() in CONTENT_TYPES:
        return "content_type"
    if word in known or word.startswith(_NAMESPACES):
        return "recipient"
    return "unknown"


def _first_word(word: str, known: frozenset[str]) -> str:
    """Return the first of several joined words: `final` of `finaljson`."""
    if _field(word, known) != "unknown":
        return word
    for first in _KNOWN_WORDS:
        rest = word.removeprefix(first)
        if rest != word and (_field(rest, known) != "unknown" or _is_new_word(rest)):
            return first
    cut = word.find("to=")
    return word[:cut] if cut > 0 and _field(word[:cut], known) != "unknown" else word


def _is_new_word(rest: str) -> bool:
    """Return whether text after a known word starts a new word: `We` in `analysisWe`."""
    is_known = rest.startswith(("to=", *_KNOWN_WORDS, *CONTENT_TYPES))
    return is_known or not (rest[0].islower() or rest[0].isdigit() or rest[0] in "_-'")

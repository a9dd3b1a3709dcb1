"""The words of a header, each with the field that it speaks for; glued ones are taken apart."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from ..format import CHANNELS, ROLES

CONTENT_TYPES = frozenset({"json", "code", "text", "xml", "yaml", "markdown", "html"})
NAME = re.compile(r"[^\W\d][\w.:/+-]*")
"""What the name of a channel, a tool or a content type looks like."""

Field = Literal["role", "channel", "recipient", "content_type", "unknown"]

_SPACE = re.compile(r"\s*")
_TO = re.compile(r"""to=\s*["'`]?([^\s<>{}\[\]()"'`,;|]*)["'`]?""")
_ANY = re.compile(r'[^\s{\["(]+|\S')
_HEADS = (*CHANNELS, *sorted(ROLES))
_BUILT_IN = ("functions.", "browser.")


class Word(NamedTuple):
    """One word, or one part of a glued one."""

    field: Field
    value: str
    at: int
    """Index of its first character in the text."""
    addressed: bool = False
    """Whether `to=` stands before it."""


def words_of(text: str, known: frozenset[str]) -> Iterator[Word]:
    """Read a stretch of a header, word by word.

    known: recipients that exist; they are recognised without `to=` too.
    """
    at = 0
    while found := _SPACE.match(text, at):
        at = found.end()
        if at == len(text):
            return
        if addressed := _TO.match(text, at):
            yield from _recipient(
                addressed.group(1), at, text[addressed.end() : addressed.end() + 1]
            )
            at = addressed.end()
        elif any_word := _ANY.match(text, at):
            word = _first(any_word.group(), known)
            yield Word(_field(word, known), word, at)
            at += len(word)


def _recipient(name: str, at: int, following: str) -> Iterator[Word]:
    # `to=functions.fjson{"a": 1}`: the content type sits between the name and the arguments.
    if following == "{" and name.endswith("json"):
        yield Word("recipient", name.removesuffix("json"), at, addressed=True)
        yield Word("content_type", "json", at)
    else:
        yield Word("recipient", name, at, addressed=True)


def _field(word: str, known: frozenset[str]) -> Field:
    if word.partition(":")[0] in ROLES:
        return "role"
    if word in CHANNELS:
        return "channel"
    if word.lower() in CONTENT_TYPES:
        return "content_type"
    if word in known or word.startswith(_BUILT_IN):
        return "recipient"
    return "unknown"


def _first(word: str, known: frozenset[str]) -> str:
    """What a glued word begins with: `final` of `finaljson`, `analysis` of `analysisWe`."""
    if _field(word, known) != "unknown":
        return word
    for head in _HEADS:
        rest = word.removeprefix(head)
        if rest != word and (_field(rest, known) != "unknown" or _is_another(rest)):
            return head
    cut = word.find("to=")
    return word[:cut] if cut > 0 and _field(word[:cut], known) != "unknown" else word


def _is_another(rest: str) -> bool:
    """Whether what follows a known word cannot be that word's own ending."""
    glued = rest.startswith(("to=", *_HEADS, *CONTENT_TYPES))
    return glued or not (rest[0].islower() or rest[0].isdigit() or rest[0] in "_-'")

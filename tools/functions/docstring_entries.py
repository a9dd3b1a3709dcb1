"""An entry of a docstring: the description of one parameter, or of several that share it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Collection
from dataclasses import dataclass, field

_BULLET = re.compile(r"^(?:[-*+\N{BULLET}]|\d+[.)])\s+")
_OPEN = r"(?:``|`|\*\*(?=\w)|['\"])?"
_CLOSE = r"(?:``|`|\*\*|['\"])?"
_WORD = r"[^\W\d]\w*(?:[.\[][\w.\[\]'\"]*)?"
_NAME = rf"{_OPEN}(?:\\?\*){{0,2}}{_WORD}{_CLOSE}"
_ENTRY = re.compile(
    rf"(?P<names>{_NAME}(?:\s*(?:,|/|\band\b|&)\s*{_NAME})*)"
    r"(?P<type>\s*\((?:[^()]|\([^()]*\))*\))?"
    r"(?P<separator>\s*:(?!:)|\s+(?:-{1,3}|\N{EN DASH}|\N{EM DASH}|=|->)(?=\s)|\s+|$)"
    r"\s*(?P<text>.*)"
)


@dataclass(slots=True)
class Entry:
    """The description of a parameter, or of several that share it."""

    names: list[str]
    """Names of parameters, also of a part of one: `options.depth`."""
    first: str
    """What stands behind the names."""
    lines: list[str] = field(default_factory=list[str])
    """The lines below."""

    def text(self, *, after_type: bool) -> str:
        """Return the description.

        after_type: whether a type stands behind the names if there are lines below.
        """
        body = dedent(self.lines)
        first = "" if after_type and body else self.first
        return f"{first}\n{body}".strip()


def parse_entry(line: str, parameters: Collection[str]) -> Entry | None:
    """Return the entry that a line starts, or None.

    A known name needs no colon behind it. An unknown one needs a colon, and must be written like a
    parameter: `Note: ...` is text.
    """
    match = _ENTRY.fullmatch(_BULLET.sub("", line, count=1))
    if match is None:
        return None
    names: list[str] = re.findall(_WORD, re.sub(r"\band\b", ",", match["names"]))
    separator = match["separator"].strip()
    if any(owner_of(name) in parameters for name in names):
        is_entry = bool(separator or match["type"]) or len(names) == 1
    else:
        is_entry = separator == ":" and len(names) == 1 and not names[0][0].isupper()
    return Entry(names, match["text"]) if is_entry else None


def owner_of(name: str) -> str:
    """Return the parameter that a name is a part of: `options` for `options.depth`."""
    return re.split(r"[.\[]", name)[0]


def dedent(lines: Collection[str]) -> str:
    """Return lines as a text, without their common indentation and blank lines around them."""
    return inspect.cleandoc("\n".join(["", *lines])).strip()


def indentation(line: str) -> int:
    """Return how many white-space characters a line begins with."""
    return len(line) - len(line.lstrip())

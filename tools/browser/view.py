"""The window of a page that the model is shown, in the form it knows from its training.

Source: the reference browser of gpt-oss 0.0.9; the tests hold the two side by side.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote

from ...errors import ToolError
from ...harmony import decode, encode
from .text import Page

WIDTH = 80
"""Columns of a line, without its number."""
VIEW_TOKENS = 1024
"""What one view holds, in tokens, line numbers included; the last line is shown whole."""

_URL_CHARS = 1024
# With a line break in its address, a page could write a heading of its own.
_FORGERY = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029【】]")
_WRAPPER = textwrap.TextWrapper(WIDTH, replace_whitespace=False, drop_whitespace=False)


@lru_cache(maxsize=64)
def wrap(text: str) -> tuple[str, ...]:
    """The lines of a page, none longer than WIDTH."""
    lines: list[str] = []
    for line in text.split("\n"):
        if len(line) <= WIDTH and "\t" not in line:
            lines.append(line)
        else:
            lines.extend(_WRAPPER.wrap(line))
    return tuple(lines)


class View(NamedTuple):
    """What the model reads of a page at once."""

    text: str
    lines: range
    """The numbers of the lines in it."""


def view(page: Page, cursor: int, *, loc: int = 0, num_lines: int = -1) -> View:
    """A page's lines from `loc` on, numbered, under its title.

    cursor: the display's number among those that were shown.
    num_lines: how many; none or less: as many as VIEW_TOKENS hold.

    Raises ToolError if the page ends before `loc`.
    """
    lines = wrap(page.text)
    last = len(lines) - 1
    if loc > last:
        raise ToolError(
            f"Invalid location parameter: `{loc}`. Cannot exceed page maximum of {last}."
        )
    count = num_lines if num_lines > 0 else lines_that_fit(lines, loc)
    shown = lines[loc : loc + count]
    url = _cut(_FORGERY.sub(" ", unquote(page.url)))
    title = _FORGERY.sub(" ", page.title)
    title = f"{title} ({url})" if url else title
    head = f"[{cursor}] {title}\n**viewing lines [{loc} - {loc + len(shown) - 1}] of {last}**\n\n"
    return View(head + "\n".join(_numbered(shown, loc)), range(loc, loc + len(shown)))


def lines_that_fit(lines: Sequence[str], loc: int, tokens: int = VIEW_TOKENS) -> int:
    """How many lines from `loc` on begin within so many tokens.

    A line number never merges with the line break before it, so the lines may be encoded one by
    one, and only those that are shown. As in the reference, the end is found by the length of each
    token's own text, in which a part of a character counts as one.
    """
    text, chars, left = "", 0, tokens
    for line in _numbered(lines[loc:], loc):
        text += f"{line}\n"
        for token in encode(f"{line}\n")[:left]:
            chars += len(decode([token]))
            left -= 1
        if not left and len(text) > chars:
            return text.count("\n", 0, chars) + 1
    return len(lines) - loc


def _numbered(lines: Sequence[str], first: int) -> list[str]:
    return [f"L{number}: {line}" for number, line in enumerate(lines, first)]


def _cut(url: str) -> str:
    return url if len(url) <= _URL_CHARS else url[: _URL_CHARS - 3] + "..."

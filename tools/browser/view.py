"""The part of a page that the model is shown, in the format it was trained with.

Source: the reference browser of gpt-oss 0.0.9. The tests compare the two.
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
"""Token limit of one view, line numbers included. The last line is always shown whole."""

_MAX_URL_CHARS = 1024
# With a line break in its URL, a page could forge a heading.
_UNSAFE_IN_HEADING = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029【】]")
_WRAPPER = textwrap.TextWrapper(WIDTH, replace_whitespace=False, drop_whitespace=False)


@lru_cache(maxsize=64)
def wrap_lines(text: str) -> tuple[str, ...]:
    """Return the lines of a page, each at most WIDTH columns long."""
    lines: list[str] = []
    for line in text.split("\n"):
        if len(line) <= WIDTH and "\t" not in line:
            lines.append(line)
        else:
            lines.extend(_WRAPPER.wrap(line))
    return tuple(lines)


class View(NamedTuple):
    """The part of a page that one display shows."""

    text: str
    lines: range
    """Numbers of the lines in it."""


def render_view(page: Page, cursor: int, *, loc: int = 0, num_lines: int = -1) -> View:
    """Return a page's lines from `loc` on, with line numbers, under its title.

    cursor: the number of this display.
    num_lines: number of lines; 0 or less: as many as fit into VIEW_TOKENS.

    Raises ToolError if the page ends before `loc`.
    """
    lines = wrap_lines(page.text)
    last = len(lines) - 1
    if loc > last:
        raise ToolError(
            f"Invalid location parameter: `{loc}`. Cannot exceed page maximum of {last}."
        )
    count = num_lines if num_lines > 0 else count_lines_that_fit(lines, loc)
    shown = lines[loc : loc + count]
    url = _shorten_url(_UNSAFE_IN_HEADING.sub(" ", unquote(page.url)))
    title = _UNSAFE_IN_HEADING.sub(" ", page.title)
    title = f"{title} ({url})" if url else title
    head = f"[{cursor}] {title}\n**viewing lines [{loc} - {loc + len(shown) - 1}] of {last}**\n\n"
    return View(head + "\n".join(_number_lines(shown, loc)), range(loc, loc + len(shown)))


def count_lines_that_fit(lines: Sequence[str], loc: int, tokens: int = VIEW_TOKENS) -> int:
    """Return how many lines from `loc` on start within the given number of tokens.

    A line number never merges with the line break before it, so lines are encoded one by one, and
    only those that are shown. As in the reference browser, the end is located by the lengths of the
    tokens' own texts, where each token with a part of a character counts as one character.
    """
    text, chars, tokens_left = "", 0, tokens
    for line in _number_lines(lines[loc:], loc):
        text += f"{line}\n"
        for token in encode(f"{line}\n")[:tokens_left]:
            chars += len(decode([token]))
            tokens_left -= 1
        if not tokens_left and len(text) > chars:
            return text.count("\n", 0, chars) + 1
    return len(lines) - loc


def _number_lines(lines: Sequence[str], first: int) -> list[str]:
    return [f"L{number}: {line}" for number, line in enumerate(lines, first)]


def _shorten_url(url: str) -> str:
    return url if len(url) <= _MAX_URL_CHARS else url[: _MAX_URL_CHARS - 3] + "..."

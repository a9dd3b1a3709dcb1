"""Citations in an answer, matched with the lines that the model was shown."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..citations import Citation
from .history import DisplayedPage
from .text import Page
from .view import wrap_lines

# The trained format, with the variations that models write: other hyphens, a title in between.
_CITATION_MARK = re.compile(r"【(\d{1,6})†(?:[^【】†]{1,200}†)?L(\d{1,7})(?:[-–—]L?(\d{1,7}))?】")


def find_citations(answer: str, displays: Sequence[DisplayedPage]) -> tuple[Citation, ...]:
    """Return every citation in an answer, in order.

    displays: what the model was shown; the index is the cursor.
    """
    return tuple(_citation(mark, displays) for mark in _CITATION_MARK.finditer(answer))


def _citation(mark: re.Match[str], displays: Sequence[DisplayedPage]) -> Citation:
    cursor, first = int(mark[1]), int(mark[2])
    last = int(mark[3] or first)
    page = displays[cursor].page if cursor < len(displays) else None
    lines = range(first, last + 1)
    shown = page is not None and bool(lines) and _were_shown(page, lines, displays)
    return Citation(
        span=mark.span(),
        cursor=cursor,
        lines=(first, last),
        shown=shown,
        url=_cited_url(page) if page else "",
        title=page.title if page else "",
        text="\n".join(wrap_lines(page.text)[first : last + 1]) if page and shown else "",
    )


def _were_shown(page: Page, lines: range, displays: Sequence[DisplayedPage]) -> bool:
    """Return whether every line was shown, possibly in other displays of the same page."""
    shown_ranges = [display.lines for display in displays if display.page == page]
    line_count = len(wrap_lines(page.text))
    return lines.stop <= line_count and all(
        any(line in shown for shown in shown_ranges) for line in lines
    )


def _cited_url(page: Page) -> str:
    """Return the page's URL. For `find` results it is the URL of the searched page."""
    return page.links[0] if page.matches else page.url

"""What an answer's citations point at in the pages that were shown."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..citations import Citation
from .history import Display
from .text import Page
from .view import wrap

# As trained, and with what models make of it: one hyphen or another, a title between.
_MARK = re.compile(r"【(\d{1,6})†(?:[^【】†]{1,200}†)?L(\d{1,7})(?:[-–—]L?(\d{1,7}))?】")


def find_citations(answer: str, displays: Sequence[Display]) -> tuple[Citation, ...]:
    """Every citation in an answer, in its order."""
    return tuple(_citation(mark, displays) for mark in _MARK.finditer(answer))


def _citation(mark: re.Match[str], displays: Sequence[Display]) -> Citation:
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
        url=_address(page) if page else "",
        title=page.title if page else "",
        text="\n".join(wrap(page.text)[first : last + 1]) if page and shown else "",
    )


def _were_shown(page: Page, lines: range, displays: Sequence[Display]) -> bool:
    """Whether each line was shown, be it by the cursor of another look at the same page."""
    looks = [one.shown for one in displays if one.page == page]
    last = len(wrap(page.text))
    return lines.stop <= last and all(any(line in look for look in looks) for line in lines)


def _address(page: Page) -> str:
    """Where a passage stands: the matches of `find` stand in the page that was searched."""
    return page.links[0] if page.matches else page.url

"""The function `browser.find`: a text search in a page."""

from __future__ import annotations

import re
from urllib.parse import quote

from .text import Page
from .view import wrap_lines

MAX_MATCHES = 50
SNIPPET_LINES = 4
"""Lines shown of each match. The search continues below them."""

_LINK_MARK = re.compile(r"【\d+†([^†】]+)(?:†[^†】]+)?】")


def find_in_page(page: Page, pattern: str) -> Page:
    """Return a page of matches. Opening its link `i` leads to match `i`.

    The search ignores case and link marks.
    """
    wanted = pattern.lower()
    lines = _LINK_MARK.sub(r"\1", "\n".join(wrap_lines(page.text))).split("\n")
    matches: list[int] = []
    snippets: list[str] = []
    line = 0
    while line < len(lines) and len(matches) < MAX_MATCHES:
        if wanted not in lines[line].lower():
            line += 1
            continue
        snippet = "\n".join(lines[line : line + SNIPPET_LINES])
        snippets.append(f"# 【{len(matches)}†match at L{line}】\n{snippet}")
        matches.append(line)
        line += SNIPPET_LINES
    return Page(
        url=f"{page.url}/find?pattern={quote(wanted)}",
        title=f"Find results for text: `{wanted}` in `{page.title}`",
        text="\n\n".join(snippets) or f"No `find` results for pattern: `{wanted}`",
        links=(page.url,) * len(matches),
        matches=tuple(matches),
    )

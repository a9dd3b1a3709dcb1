"""`browser.find`: where a text stands in a page."""

from __future__ import annotations

import re
from urllib.parse import quote

from .text import Page
from .view import wrap

MAX_MATCHES = 50
SNIPPET_LINES = 4
"""Lines shown of each match; the next is sought below them."""

_LINK = re.compile(r"【\d+†([^†】]+)(?:†[^†】]+)?】")


def find(page: Page, pattern: str) -> Page:
    """A page of matches; opening its link `i` leads to the i-th.

    The text is compared as it reads: without upper case, without link marks.
    """
    wanted = pattern.lower()
    lines = _LINK.sub(r"\1", "\n".join(wrap(page.text))).split("\n")
    matches: list[int] = []
    snippets: list[str] = []
    at = 0
    while at < len(lines) and len(matches) < MAX_MATCHES:
        if wanted not in lines[at].lower():
            at += 1
            continue
        snippet = "\n".join(lines[at : at + SNIPPET_LINES])
        snippets.append(f"# 【{len(matches)}†match at L{at}】\n{snippet}")
        matches.append(at)
        at += SNIPPET_LINES
    return Page(
        url=f"{page.url}/find?pattern={quote(wanted)}",
        title=f"Find results for text: `{wanted}` in `{page.title}`",
        text="\n\n".join(snippets) or f"No `find` results for pattern: `{wanted}`",
        links=(page.url,) * len(matches),
        matches=tuple(matches),
    )

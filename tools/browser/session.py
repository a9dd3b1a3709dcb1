"""The browser's functions during one run: search, open and find."""

from __future__ import annotations

import re
from typing import Protocol

from ...errors import ToolError
from .find import find_in_page
from .history import DisplayedPage, History
from .text import SOURCE_PREFIX, Page
from .view import render_view

_LINES_ABOVE_MATCH = 4
_NUMBER = re.compile(r"-?\d+", re.ASCII)


class PageSource(Protocol):
    """A source of pages. Its methods raise ToolError with a message for the model."""

    async def fetch(self, url: str) -> Page:
        """Return the page at a URL, or its source if the URL starts with `view-source:`."""
        ...

    async def search(self, query: str, *, topn: int) -> Page:
        """Return a page of results."""
        ...


class BrowserSession:
    """The browser of one run. Each function adds a display to the history and returns its text."""

    def __init__(self, pages: PageSource, history: History | None = None) -> None:
        self._pages = pages
        self.history = history or History()

    async def search(self, query: str, topn: int = 10) -> str:
        """Search and show the results."""
        return self._show(await self._pages.search(query, topn=topn))

    async def open(
        self,
        id: int | str = -1,  # noqa: A002 - the trained name
        cursor: int = -1,
        loc: int = -1,
        num_lines: int = -1,
        view_source: bool = False,
    ) -> str:
        """Open a URL or a link, or scroll.

        id: a URL; or a link of the page at `cursor`; or -1 for that page itself.
        loc: the first line to show. Below 0: the first line of the page, or the lines around the
            match that the link leads to.
        """
        if isinstance(id, str) and not _NUMBER.fullmatch(id):
            page = await self._pages.fetch(SOURCE_PREFIX + id if view_source else id)
            return self._show(page, max(loc, 0), num_lines)
        current, link = self.history.page_at(cursor), int(id)
        if link >= len(current.links):
            raise ToolError(f"Invalid link id `{link}`.")
        url = current.links[link] if link >= 0 else current.url
        if view_source:
            page = await self._load(SOURCE_PREFIX + url)
        else:
            page = current if link < 0 else await self._load(url)
        if loc < 0 and link >= 0 and current.matches and not view_source:
            match = current.matches[link]
            loc = match - _LINES_ABOVE_MATCH if match > _LINES_ABOVE_MATCH else match
        return self._show(page, max(loc, 0), num_lines)

    async def find(self, pattern: str, cursor: int = -1) -> str:
        """Find a text in a page and show the matches."""
        page = self.history.page_at(cursor)
        if page.matches is not None:
            raise ToolError("Cannot run `find` on search results page or find results page")
        return self._show(find_in_page(page, pattern))

    async def _load(self, url: str) -> Page:
        return self.history.find_page(url) or await self._pages.fetch(url)

    def _show(self, page: Page, loc: int = 0, num_lines: int = -1) -> str:
        view = render_view(page, self.history.next_cursor, loc=loc, num_lines=num_lines)
        self.history.add(DisplayedPage(page, view.lines))
        return view.text

"""What the model does in the browser: search, open, find."""

from __future__ import annotations

import re
from typing import Protocol

from ...errors import ToolError
from .find import find
from .history import Display, History
from .text import SOURCE_PREFIX, Page
from .view import view

_LINES_ABOVE = 4
"""Lines above a match that are shown with it, if there are more than that."""


_NUMBER = re.compile(r"-?\d+", re.ASCII)


class Web(Protocol):
    """Where pages come from. Both raise ToolError with what the model should read."""

    async def fetch(self, url: str) -> Page:
        """The page at an address; `view-source:` before it asks for the page's source."""
        ...

    async def search(self, query: str, *, topn: int) -> Page:
        """A page of results."""
        ...


class Browsing:
    """The browser during one run; each method returns a display, and adds it to the history."""

    def __init__(self, web: Web, history: History | None = None) -> None:
        self._web = web
        self.history = history or History()

    async def search(self, query: str, topn: int = 10) -> str:
        """Search, and show the results."""
        return self._show(await self._web.search(query, topn=topn))

    async def open(
        self,
        id: int | str = -1,  # noqa: A002 - the trained name
        cursor: int = -1,
        loc: int = -1,
        num_lines: int = -1,
        view_source: bool = False,
    ) -> str:
        """Open an address or a link, or scroll.

        id: an address; or a link of the page under `cursor`; or -1 for that page itself.
        loc: first line to show; below 0: the page's first, or that of the match a link leads to.
        """
        if isinstance(id, str) and not _NUMBER.fullmatch(id):
            page = await self._web.fetch(SOURCE_PREFIX + id if view_source else id)
            return self._show(page, max(loc, 0), num_lines)
        here, link = self.history.at(cursor), int(id)
        if link >= len(here.links):
            raise ToolError(f"Invalid link id `{link}`.")
        url = here.links[link] if link >= 0 else here.url
        if view_source:
            page = await self._known(SOURCE_PREFIX + url)
        else:
            page = here if link < 0 else await self._known(url)
        if loc < 0 and link >= 0 and here.matches and not view_source:
            line = here.matches[link]
            loc = line - _LINES_ABOVE if line > _LINES_ABOVE else line
        return self._show(page, max(loc, 0), num_lines)

    async def find(self, pattern: str, cursor: int = -1) -> str:
        """Find a text in a page, and show where it is."""
        page = self.history.at(cursor)
        if page.matches is not None:
            raise ToolError("Cannot run `find` on search results page or find results page")
        return self._show(find(page, pattern))

    async def _known(self, url: str) -> Page:
        return self.history.known(url) or await self._web.fetch(url)

    def _show(self, page: Page, loc: int = 0, num_lines: int = -1) -> str:
        shown = view(page, self.history.next_cursor, loc=loc, num_lines=num_lines)
        self.history.add(Display(page, shown.lines))
        return shown.text

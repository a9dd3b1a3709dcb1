"""Pages by plain HTTP, by Chromium, or by whichever a page needs."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import structlog
from anyio import to_thread

from ....errors import BrowserUnavailableError, ToolError
from ..text import HTML, SOURCE_PREFIX, Document, Page, read_document
from .chromium import Chromium
from .http import Http, explained
from .robots import Robots

log = structlog.get_logger()

Fetch = Literal["auto", "http", "chromium"]

_FEW_CHARS = 250
"""A page with scripts and no more text than this is taken for one that they have yet to build."""
_LINK = re.compile(r"【\d+†|†[^†】]*】|】")
_ASKS = re.compile(r"<noscript[^>]*>[^<]*(<[^/][^>]*>[^<]*)*\bjavascript\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Pages:
    """The web's pages, as one run sees them."""

    http: Http
    chromium: Chromium
    fetch_by: Fetch = "auto"
    robots: Robots | None = None
    """Whether the sites' wishes are honoured."""

    async def fetch(self, url: str) -> Page:
        """The page at an address; `view-source:` before it asks for the page's source.

        Raises ToolError, with the address and the reason, for the model to read.
        """
        plain = url.removeprefix(SOURCE_PREFIX)
        if self.robots is not None:
            await self.robots.check(plain, self.http)
        if plain == url and self.fetch_by == "chromium":
            with explained(url):
                built = await self._built(url)
            if built is not None:
                return built
        document = await self.http.get(plain)
        with explained(url):
            # The largest pages take a second to read; the event loop goes on meanwhile.
            page = await to_thread.run_sync(partial(read_document, document, source=plain != url))
        if plain == url and self.fetch_by == "auto" and needs_scripts(document, page):
            return await self._completed(page)
        return page

    async def _built(self, url: str) -> Page | None:
        """The page as its scripts build it; None if it is a file, or there is no browser."""
        await self.http.check(url)
        document = await self.chromium.load(url, self.http.gate)
        return None if document is None else await to_thread.run_sync(read_document, document)

    async def _completed(self, page: Page) -> Page:
        """A page that was empty, with what its scripts make of it, or with a note why not."""
        try:
            return await self._built(page.url) or page
        except BrowserUnavailableError as error:
            log.warning("page_without_scripts", reason=str(error))
            reason = "no browser is here to run them"
        except ToolError as error:
            reason = str(error)
        note = f"[This page is built by its scripts, and they were not run: {reason}.]"
        return replace(page, text=f"{page.text}\n\n{note}".strip())


def needs_scripts(document: Document, page: Page) -> bool:
    """Whether a page that came by HTTP says little without its scripts."""
    if document.kind not in HTML or b"<script" not in document.data.lower():
        return False
    said = len("".join(_LINK.sub("", page.text).split()))
    return said < _FEW_CHARS or (said < 4 * _FEW_CHARS and _ASKS.search(document.text) is not None)

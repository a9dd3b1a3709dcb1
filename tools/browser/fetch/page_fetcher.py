"""Pages over plain HTTP, with Chromium, or with whichever of the two a page needs."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import partial
from http import HTTPStatus
from typing import Literal

from anyio import to_thread

from ....errors import BrowserUnavailableError, ToolError
from ....sandbox import get_logger
from ..text import HTML_TYPES, SOURCE_PREFIX, Document, Page, read_document
from .chromium import Chromium
from .http import HttpFetcher, fetch_errors
from .robots import RobotsTxt

log = get_logger("ossia.tools.browser")

FetchMethod = Literal["auto", "http", "chromium"]

_MIN_TEXT_CHARS = 250
"""A page that has scripts and less text than this probably needs the scripts to run."""
_LINK_MARK = re.compile(r"【\d+†|†[^†】]*】|】")
_JAVASCRIPT_NOTICE = re.compile(
    r"<noscript[^>]*>[^<]*(<[^/][^>]*>[^<]*)*\bjavascript\b", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class PageFetcher:
    """A fetcher of web pages for one run."""

    http: HttpFetcher
    chromium: Chromium
    method: FetchMethod = "auto"
    robots: RobotsTxt | None = None
    """None: robots.txt files are ignored."""

    async def fetch(self, url: str) -> Page:
        """Return the page at a URL, or its source if the URL starts with `view-source:`.

        Raises ToolError, with the URL and the reason, for the model to read.
        """
        page_url = url.removeprefix(SOURCE_PREFIX)
        source = page_url != url
        if self.robots is not None:
            await self.robots.check(page_url, self.http)
        if not source and self.method == "chromium":
            with fetch_errors(url):
                loaded = await self._load_in_chromium(url)
            if loaded is not None:
                return loaded
        document = await self.http.fetch(page_url)
        with fetch_errors(url):
            # Reading the largest pages takes a second, so a thread does it.
            page = await to_thread.run_sync(partial(read_response, document, source=source))
            if source or self.method != "auto" or not needs_scripts(document, page):
                return with_status(page, document.status)
        return await self._run_scripts(page)

    async def _load_in_chromium(self, url: str) -> Page | None:
        """Return the page after its scripts have run, or None if the URL is a download."""
        await self.http.check_allowed(url)
        document = await self.chromium.load(url, self.http.policy)
        if document is None:
            return None
        return with_status(await to_thread.run_sync(read_response, document), document.status)

    async def _run_scripts(self, page: Page) -> Page:
        """Return the page after its scripts have run, or the page with a note that they did not."""
        try:
            return await self._load_in_chromium(page.url) or with_status(page, HTTPStatus.OK)
        except BrowserUnavailableError as error:
            log.warning("scripts_skipped", reason=str(error))
            reason = "no browser is installed"
        except ToolError as error:
            reason = str(error)
        note = f"[This page needs JavaScript, which was not run: {reason}.]"
        return replace(page, text=f"{page.text}\n\n{note}".strip())


def read_response(document: Document, *, source: bool = False) -> Page:
    """Return a server's response as a page.

    Raises ToolError if it is not text, or cannot be read. Of an error the model reads the status.
    """
    try:
        return read_document(document, source=source)
    except ToolError as error:
        if document.is_error:
            raise ToolError(f"the server returned HTTP status {document.status}") from error
        raise


def with_status(page: Page, status: int | None) -> Page:
    """Return a page that says it if it is empty, or if the server sent it with an error.

    Raises ToolError if the server sent an error without a page.
    """
    is_empty = not page.text.strip("\n")
    if status is None or (status < HTTPStatus.BAD_REQUEST and not is_empty):
        return page
    if status < HTTPStatus.BAD_REQUEST:
        return replace(page, text=f"[This page is empty. The HTTP status is {status}.]")
    if is_empty:
        raise ToolError(f"the server returned HTTP status {status}")
    note = f"[The server returned HTTP status {status} with this page.]"
    return replace(page, text=f"{note}\n\n{page.text}")


def needs_scripts(document: Document, page: Page) -> bool:
    """Return whether a page that was fetched over HTTP has little text without its scripts."""
    if document.is_error or document.media_type not in HTML_TYPES:
        return False
    if b"<script" not in document.data.lower():
        return False
    chars = len("".join(_LINK_MARK.sub("", page.text).split()))
    if chars < _MIN_TEXT_CHARS:
        return True
    return chars < 4 * _MIN_TEXT_CHARS and _JAVASCRIPT_NOTICE.search(document.text) is not None

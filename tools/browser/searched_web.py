"""The pages of one run: from the web, or from the search backend's own collection."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from ...errors import ToolError
from .search import MAX_HITS, PageCollection, SearchBackend, results_page
from .text import SOURCE_PREFIX, Page, neutralize_marks


class Fetcher(Protocol):
    """A fetcher of web pages."""

    async def fetch(self, url: str) -> Page:
        """Return the page at a URL. Raises ToolError with a message for the model."""
        ...


@dataclass(frozen=True, slots=True)
class SearchedWeb:
    """Pages from a fetcher and results from a search backend, in the trained format."""

    fetcher: Fetcher
    backend: SearchBackend | None

    async def fetch(self, url: str) -> Page:
        """Return the page at a URL, with the URL above its text."""
        page = await self._from_collection(url) or await self.fetcher.fetch(url)
        shown_url = page.url.removeprefix(SOURCE_PREFIX)
        return replace(page, text=f"\nURL: {neutralize_marks(shown_url)}\n{page.text}")

    async def search(self, query: str, *, topn: int) -> Page:
        """Return a page of results."""
        if self.backend is None:
            raise ToolError("search is not available; open a URL instead")
        limit = min(max(topn, 1), MAX_HITS)
        try:
            hits = await self.backend.search(query, topn=limit)
        except ToolError as error:
            raise ToolError(f"Error during search for `{query}`: {error}") from error
        return results_page(query, hits)

    async def _from_collection(self, url: str) -> Page | None:
        if not isinstance(self.backend, PageCollection):
            return None
        return await self.backend.get_page(url)

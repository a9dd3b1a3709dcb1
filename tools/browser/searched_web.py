"""The pages of one run: from the web, or from a library of the user's own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from ...errors import ToolError
from .search import MAX_HITS, Library, SearchBackend, results_page
from .text import SOURCE_PREFIX, Page, harmless


class Fetcher(Protocol):
    """Whatever brings a page from the web."""

    async def fetch(self, url: str) -> Page:
        """The page at an address. Raises ToolError with what the model should read."""
        ...


@dataclass(frozen=True, slots=True)
class SearchedWeb:
    """Pages by a fetcher, results by a search backend, both in the trained form."""

    fetcher: Fetcher
    backend: SearchBackend | None

    async def fetch(self, url: str) -> Page:
        """The page at an address, with that address above it."""
        page = await self._own(url) or await self.fetcher.fetch(url)
        shown = page.url.removeprefix(SOURCE_PREFIX)
        return replace(page, text=f"\nURL: {harmless(shown)}\n{page.text}")

    async def search(self, query: str, *, topn: int) -> Page:
        """A page of results."""
        if self.backend is None:
            raise ToolError("there is nothing to search with; open an address")
        wanted = min(max(topn, 1), MAX_HITS)
        try:
            hits = await self.backend.search(query, topn=wanted)
        except ToolError as error:
            raise ToolError(f"Error during search for `{query}`: {error}") from error
        return results_page(query, hits)

    async def _own(self, url: str) -> Page | None:
        return await self.backend.page(url) if isinstance(self.backend, Library) else None

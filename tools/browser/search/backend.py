"""The protocol of search backends, and the page of their results."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from ..text import Page, PageWriter, neutralize_marks

MAX_HITS = 20
"""Maximum number of results of one search."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One search result."""

    url: str
    title: str
    text: str = ""
    """A summary, or the passage that matches the query, as plain text."""


@runtime_checkable
class SearchBackend(Protocol):
    """A backend that finds pages for a query."""

    async def search(self, query: str, *, topn: int) -> Sequence[Hit]:
        """Return at most `topn` results, best first.

        Raises ToolError with a message for the model.
        """
        ...


@runtime_checkable
class PageCollection(Protocol):
    """A search backend that has its pages itself."""

    async def get_page(self, url: str) -> Page | None:
        """Return the page at a URL, or None if the URL is outside the collection."""
        ...


def results_page(query: str, hits: Iterable[Hit]) -> Page:
    """Return a page of results in the format of the reference browser."""
    writer = PageWriter("")
    writer.start_line("# ")
    writer.write("Search Results")
    writer.blank_line()
    for hit in hits:
        writer.start_line("  * ")
        writer.start_link()
        writer.write(hit.title or hit.url)
        writer.end_link(hit.url)
        writer.write(f" {hit.text}")
        writer.end_line()
    title = " ".join(neutralize_marks(query).split())
    return Page("", title, f"\nURL: \n{writer.text}", writer.links)

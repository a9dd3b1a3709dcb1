"""The border to whatever finds pages, and the page that its results become."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from ..text import Page, Writer, harmless

MAX_HITS = 20
"""What one search shows at most."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One page that was found."""

    url: str
    title: str
    text: str = ""
    """A summary, or the passage that fits the query; plain text."""


@runtime_checkable
class SearchBackend(Protocol):
    """Whatever finds pages for a query."""

    async def search(self, query: str, *, topn: int) -> Sequence[Hit]:
        """At most `topn` pages, the best first.

        Raises ToolError with what the model should read.
        """
        ...


@runtime_checkable
class Library(Protocol):
    """A search backend that has the pages itself."""

    async def page(self, url: str) -> Page | None:
        """The page at an address, or None if it is not one of its own."""
        ...


def results_page(query: str, hits: Iterable[Hit]) -> Page:
    """A page of results, in the form of the reference's."""
    out = Writer("")
    out.begin("# ")
    out.write("Search Results")
    out.blank()
    for hit in hits:
        out.begin("  * ")
        out.begin_link()
        out.write(hit.title or hit.url)
        out.end_link(hit.url)
        out.write(f" {hit.text}")
        out.end_line()
    title = " ".join(harmless(query).split())
    return Page("", title, f"\nURL: \n{out.text}", out.links)

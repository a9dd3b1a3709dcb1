"""A page as the model reads it."""

from __future__ import annotations

from dataclasses import dataclass

SOURCE_PREFIX = "view-source:"
"""Before an address: not the page is meant, but its source."""


@dataclass(frozen=True, slots=True)
class Page:
    """Text with links in it, and where they lead."""

    url: str
    """Empty for a page of search results."""
    title: str
    text: str
    """Unwrapped. A link is written `【3†its text】`, or `【3†its text†host】` if it leads away."""
    links: tuple[str, ...] = ()
    """Absolute addresses by link id."""
    matches: tuple[int, ...] | None = None
    """On a page of `find` results: the line of each match in the page that was searched."""

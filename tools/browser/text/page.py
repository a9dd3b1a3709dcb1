"""A page as the model reads it, and the marks that its text may not contain."""

from __future__ import annotations

from dataclasses import dataclass

SOURCE_PREFIX = "view-source:"
"""Prefix of a URL that means the page's source."""

# A page must not contain text that looks like a link or a citation. As in the reference browser.
_MARK_LOOKALIKES = (("【", "〖"), ("】", "〗"), ("◼", "◾"), ("\u200b", ""))


@dataclass(frozen=True, slots=True)
class Page:
    """A page's text with its links and their targets."""

    url: str
    """Empty for a page of search results."""
    title: str
    text: str
    """Not wrapped. Links are written `【3†text】`, or `【3†text†host】` if they lead to another
    host."""
    links: tuple[str, ...] = ()
    """Absolute URLs by link id."""
    matches: tuple[int, ...] | None = None
    """On a page of `find` results: the line of each match in the searched page."""


def neutralize_marks(text: str) -> str:
    """Replace the characters that mark links and citations by lookalikes."""
    if not text.isascii():
        # Several times as fast as str.translate.
        for mark, lookalike in _MARK_LOOKALIKES:
            text = text.replace(mark, lookalike)
    return text

"""Citations in an answer, and the answer with links in their place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256


@dataclass(frozen=True, slots=True, kw_only=True)
class Citation:
    """A passage that an answer cites with a mark such as `【3†L5-L7】`."""

    span: tuple[int, int]
    """Position of the mark in the answer, in characters: start and end (exclusive)."""
    cursor: int
    """Number of the display that is cited."""
    lines: tuple[int, int]
    """First and last line of the passage."""
    shown: bool
    """Whether the model was shown the whole passage. If not, it made the citation up or cites from
    memory."""
    url: str = ""
    """Of the page; empty for a page of search results, and if there is no such display."""
    title: str = ""
    text: str = ""
    """The cited lines as they were shown; empty if they were not shown."""

    @property
    def digest(self) -> str:
        """SHA-256 of the text, in hexadecimal. Use it to check later whether a page has changed."""
        return sha256(self.text.encode()).hexdigest()


def link_citations(answer: str, citations: Iterable[Citation]) -> str:
    """Return the answer in Markdown, with each mark replaced by a link to its page.

    A mark is removed if its passage was never shown, or if it has no URL.
    """
    parts: list[str] = []
    end = 0
    for citation in sorted(citations, key=lambda citation: citation.span):
        start = citation.span[0]
        parts.append(answer[end:start])
        end = citation.span[1]
        if citation.shown and citation.url:
            space = "" if answer[:start][-1:].isspace() else " "
            label = _escape_label(citation.title or citation.url)
            parts.append(f"{space}([{label}]({_escape_url(citation.url)}))")
    return "".join([*parts, answer[end:]])


def _escape_label(title: str) -> str:
    """Escape what would end a link's label or start HTML."""
    for character in "\\[]<>`*_":
        title = title.replace(character, f"\\{character}")
    return " ".join(title.split())


def _escape_url(url: str) -> str:
    """Escape what would end a link's target."""
    escaped = {ord(character): f"%{ord(character):02X}" for character in ' ()<>"\\\n\r\t'}
    return url.translate(escaped)

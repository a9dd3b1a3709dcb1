"""What an answer points at, and the answer with links in place of its marks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256


@dataclass(frozen=True, slots=True, kw_only=True)
class Citation:
    """A passage that an answer points at, by a mark such as `【3†L5-L7】`."""

    span: tuple[int, int]
    """Where the mark stands in the answer, in characters: the first, and the one after the last."""
    cursor: int
    """The number of the display that is cited."""
    lines: tuple[int, int]
    """First and last line of the passage."""
    shown: bool
    """Whether the model was shown all of it. If not, it made the passage up, or remembers it."""
    url: str = ""
    """Of the page; empty for a page of search results, and where there is no such display."""
    title: str = ""
    text: str = ""
    """The very lines, as they were shown; empty if they were not."""

    @property
    def digest(self) -> str:
        """SHA-256 of the text, in hexadecimal: to see later whether a page still says the same."""
        return sha256(self.text.encode()).hexdigest()


def link_citations(answer: str, citations: Iterable[Citation]) -> str:
    """The answer in Markdown: each mark becomes a link to its page, with the page's title.

    A mark of something that was never shown, or of no page of its own, is left out.
    """
    parts: list[str] = []
    end = 0
    for one in sorted(citations, key=lambda citation: citation.span):
        parts.append(answer[end : one.span[0]])
        end = one.span[1]
        if one.shown and one.url:
            before = "" if answer[: one.span[0]][-1:].isspace() else " "
            parts.append(f"{before}([{_text(one.title or one.url)}]({_target(one.url)}))")
    return "".join([*parts, answer[end:]])


def _text(title: str) -> str:
    """A title that ends no link's text and opens no HTML."""
    for sign in "\\[]<>`*_":
        title = title.replace(sign, f"\\{sign}")
    return " ".join(title.split())


def _target(url: str) -> str:
    """An address that ends no link's target."""
    escaped = {ord(sign): f"%{ord(sign):02X}" for sign in ' ()<>"\\\n\r\t'}
    return url.translate(escaped)

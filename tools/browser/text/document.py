"""Whatever comes from a server or a disk, as a page."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from urllib.parse import unquote, urlsplit

from ....errors import ToolError
from .charset import decode_text
from .feed import read_feed
from .html import read_html
from .page import SOURCE_PREFIX, Page
from .writer import harmless

HTML = frozenset({"text/html", "application/xhtml+xml"})
_TEXT = re.compile(
    r"text/.+|application/(.+\+)?(json|xml|javascript|x-sh|yaml|toml)|message/rfc822"
)
_LINE_END = re.compile(r"\r\n?")
_JSON = re.compile(r"application/(.+\+)?json")
_XML = re.compile(r"(text|application)/(.+\+)?xml")
# What some servers say of everything that they have no name for.
_UNKNOWN = frozenset({"", "application/octet-stream", "binary/octet-stream", "application/unknown"})


@dataclass(frozen=True, slots=True)
class Document:
    """Bytes, and what is said of them."""

    url: str
    """Where they came from, after all redirects."""
    kind: str
    """Media type, in lower case, without parameters."""
    data: bytes
    charset: str | None = None
    """As the server says."""
    cut: bool = False
    """Whether there was more."""

    @property
    def text(self) -> str:
        """The bytes as text."""
        markup = self.kind in HTML or _XML.fullmatch(self.kind) is not None
        return decode_text(self.data, self.charset, markup=markup, cut=self.cut)


def read_document(document: Document, *, source: bool = False) -> Page:
    """A page of a document, or of its source.

    Raises ToolError if there is no text in it.
    """
    document = _named(document)
    if document.kind == "application/pdf" and not source:
        page = _pdf(document)
    elif document.kind in HTML or _TEXT.fullmatch(document.kind):
        page = _source(document) if source else _rendered(document)
    else:
        raise ToolError(f"it is {document.kind or 'of no known kind'}, and no text")
    if not document.cut:
        return page
    note = f"[The page is longer: only its first {len(document.data):,} bytes were read.]"
    return replace(page, text=f"{page.text}\n\n{note}")


def _named(document: Document) -> Document:
    """The document with its kind; its first bytes tell where nobody has."""
    if document.kind not in _UNKNOWN:
        return document
    start = document.data[:1024]
    if start.startswith(b"%PDF-"):
        return replace(document, kind="application/pdf")
    if b"<html" in start.lower() or b"<!doctype html" in start.lower():
        return replace(document, kind="text/html")
    return document if b"\0" in start else replace(document, kind="text/plain")


def _rendered(document: Document) -> Page:
    if document.kind in HTML:
        return read_html(document.text, document.url)
    if _XML.fullmatch(document.kind):
        return read_feed(document.text, document.url) or _plain(document, document.text)
    if _JSON.fullmatch(document.kind):
        return _plain(document, _spread(document.text))
    return _plain(document, document.text)


def _pdf(document: Document) -> Page:
    if document.cut:
        raise ToolError(f"it is a PDF of more than {len(document.data):,} bytes")
    from .pdf import read_pdf  # PDFium is large, and few pages are PDF

    return read_pdf(document.data, document.url)


def _source(document: Document) -> Page:
    return _plain(replace(document, url=SOURCE_PREFIX + document.url), document.text)


def _plain(document: Document, text: str) -> Page:
    """Text to the letter, but for the signs that are ours."""
    parts = urlsplit(document.url.removeprefix(SOURCE_PREFIX))
    title = harmless(unquote(parts.path.rpartition("/")[2])) or parts.netloc
    return Page(document.url, title, harmless(_LINE_END.sub("\n", text)))


def _spread(text: str) -> str:
    """JSON on several lines, for whoever cites a line of it; as it is if it is none."""
    try:
        return json.dumps(json.loads(text), indent=1, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text

"""A page from the bytes that a server or a disk returns."""

from __future__ import annotations

import json
import re
from codecs import getincrementaldecoder
from dataclasses import dataclass, replace
from http import HTTPStatus
from urllib.parse import unquote, urlsplit

from ....errors import ToolError
from .charset import decode_text
from .feed import read_feed
from .html import read_html
from .page import SOURCE_PREFIX, Page, neutralize_marks
from .pdf import read_pdf

HTML_TYPES = frozenset({"text/html", "application/xhtml+xml"})
_JSON_TYPE = re.compile(r"[^/]+/(.+\+)?json")
_XML_TYPE = re.compile(r"[^/]+/(.+\+)?xml")
# Control characters that text never contains. Source: "binary data byte" of the WHATWG's MIME
# Sniffing standard, which also says how many bytes to look at.
_BINARY = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")
_SNIFFED_BYTES = 1445
_BYTE_ORDER_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
# Types that servers send for files that they do not know.
_UNKNOWN_TYPES = frozenset(
    {"", "application/octet-stream", "binary/octet-stream", "application/unknown"}
)
_LINE_END = re.compile(r"\r\n?")


@dataclass(frozen=True, slots=True)
class Document:
    """The bytes of a document and their declared type."""

    url: str
    """The document's URL after all redirects."""
    media_type: str
    """In lower case, without parameters."""
    data: bytes
    charset: str | None = None
    """The charset that the server declares."""
    truncated: bool = False
    """Whether only the start of the document was read."""
    status: int | None = None
    """The HTTP status of the response; None if no server sent the document."""

    @property
    def is_error(self) -> bool:
        """Whether the server sent it instead of what was asked for."""
        return self.status is not None and self.status >= HTTPStatus.BAD_REQUEST

    @property
    def text(self) -> str:
        """The decoded bytes."""
        markup = self.media_type in HTML_TYPES or _XML_TYPE.fullmatch(self.media_type) is not None
        return decode_text(self.data, self.charset, markup=markup, truncated=self.truncated)


def read_document(document: Document, *, source: bool = False) -> Page:
    """Return a document, or its source, as a page.

    Raises ToolError if the document is not text.
    """
    document = _detect_type(document)
    if document.media_type == "application/pdf" and not source:
        page = _read_pdf(document)
    elif is_text(document):
        page = _read_source(document) if source else _read_text(document)
    else:
        raise ToolError(f"unsupported content type: {document.media_type or 'unknown'}")
    if not document.truncated:
        return page
    note = f"[Only the first {len(document.data):,} bytes of this page were read.]"
    return replace(page, text=f"{page.text}\n\n{note}")


def is_text(document: Document) -> bool:
    """Return whether a document is text, whatever its type is called.

    Servers name hundreds of types of text, and some wrongly: TypeScript is often `video/mp2t`.
    """
    if document.media_type.startswith("text/") or document.media_type in HTML_TYPES:
        return True
    start = document.data[:_SNIFFED_BYTES]
    if start.startswith(_BYTE_ORDER_MARKS):
        return True
    if _BINARY.search(start):
        return False
    is_whole = len(start) == len(document.data)
    try:
        getincrementaldecoder("utf-8")().decode(start, final=is_whole)
    except UnicodeDecodeError:  # then it needs to say how it is encoded
        is_xml = _XML_TYPE.fullmatch(document.media_type) is not None
        return is_xml or document.charset is not None
    return True


def _detect_type(document: Document) -> Document:
    """Return the document with the type that its first bytes show.

    A PDF is one whatever its type is called. Others are examined if no type is declared.
    """
    start = document.data[:1024]
    if start.startswith(b"%PDF-") and document.media_type not in HTML_TYPES:
        return replace(document, media_type="application/pdf")
    if document.media_type not in _UNKNOWN_TYPES:
        return document
    if b"<html" in start.lower() or b"<!doctype html" in start.lower():
        return replace(document, media_type="text/html")
    return document


def _read_text(document: Document) -> Page:
    if document.media_type in HTML_TYPES:
        return read_html(document.text, document.url)
    if _XML_TYPE.fullmatch(document.media_type):
        feed = read_feed(document.text, document.url)
        return feed or _plain_page(document, document.text)
    if _JSON_TYPE.fullmatch(document.media_type):
        return _plain_page(document, _format_json(document.text))
    return _plain_page(document, document.text)


def _read_pdf(document: Document) -> Page:
    if document.truncated:
        raise ToolError(f"the PDF is larger than {len(document.data):,} bytes")
    return read_pdf(document.data, document.url)


def _read_source(document: Document) -> Page:
    return _plain_page(replace(document, url=SOURCE_PREFIX + document.url), document.text)


def _plain_page(document: Document, text: str) -> Page:
    """Return a page of unchanged text, except for marks and line ends."""
    parts = urlsplit(document.url.removeprefix(SOURCE_PREFIX))
    title = neutralize_marks(unquote(parts.path.rpartition("/")[2])) or parts.netloc
    return Page(document.url, title, neutralize_marks(_LINE_END.sub("\n", text)))


def _format_json(text: str) -> str:
    """Return JSON on several lines, so that a line can be cited. Invalid JSON stays unchanged."""
    try:
        return json.dumps(json.loads(text), indent=1, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text

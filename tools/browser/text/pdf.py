"""A PDF as a page."""

from __future__ import annotations

from importlib import import_module
from threading import Lock
from typing import Any
from urllib.parse import unquote, urlsplit

from ....errors import ToolError
from .page import Page, neutralize_marks

MAX_PAGES = 500
_MAX_CHARS = 4_000_000

# PDFium is not thread-safe.
_pdfium_lock = Lock()


def read_pdf(data: bytes, url: str) -> Page:
    """Return the text of a PDF, page by page.

    Raises ToolError if the PDF is broken, needs a password, or has no text.
    """
    pdfium: Any = import_module("pypdfium2")  # large and rarely needed; it has no types
    with _pdfium_lock:
        try:
            title, pages, count = _read_pages(pdfium, data)
        except pdfium.PdfiumError as error:
            raise ToolError(f"cannot read the PDF: {error}") from error
    if not any(pages):
        raise ToolError(f"the PDF has no text (pages: {count}); it may be a scan")
    parts = [f"[Page {number}]\n\n{text}" for number, text in enumerate(pages, 1)]
    if len(pages) < count:
        parts.append(f"[Only the first {len(pages)} of {count} pages were read.]")
    file_name = unquote(urlsplit(url).path.rpartition("/")[2])
    title = neutralize_marks(" ".join(title.split())) or file_name
    return Page(url, title, neutralize_marks("\n\n".join(parts)))


def _read_pages(pdfium: Any, data: bytes) -> tuple[str, list[str], int]:
    """Return the title, the text of each page up to the limits, and the number of pages."""
    texts: list[str] = []
    document = pdfium.PdfDocument(data)
    try:
        chars_left = _MAX_CHARS
        for number in range(min(len(document), MAX_PAGES)):
            page = document[number]
            text = page.get_textpage().get_text_bounded()[:chars_left]
            page.close()
            texts.append("\n".join(line.rstrip() for line in text.splitlines()).strip())
            chars_left -= len(text)
            if chars_left <= 0:
                break
        return document.get_metadata_value("Title"), texts, len(document)
    finally:
        document.close()

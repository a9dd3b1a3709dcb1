"""PDF as a page."""

from __future__ import annotations

from importlib import import_module
from threading import Lock
from typing import Any
from urllib.parse import unquote, urlsplit

from ....errors import ToolError
from .page import Page
from .writer import harmless

MAX_PAGES = 500
_MAX_CHARS = 4_000_000

pdfium: Any = import_module("pypdfium2")  # it ships no types
# PDFium is not made for several threads at once.
_one_at_a_time = Lock()


def read_pdf(data: bytes, url: str) -> Page:
    """The text of a PDF, page by page.

    Raises ToolError if it is broken, locked, or a scan without text.
    """
    with _one_at_a_time:
        try:
            title, pages, count = _read(data)
        except pdfium.PdfiumError as error:
            raise ToolError(f"it is a PDF that cannot be read: {error}") from error
    if not any(pages):
        raise ToolError(f"it is a PDF of {count} pages without any text: a scan, perhaps")
    parts = [f"[Page {number}]\n\n{text}" for number, text in enumerate(pages, 1)]
    if len(pages) < count:
        parts.append(f"[The document goes on: {len(pages)} of its {count} pages were read.]")
    name = unquote(urlsplit(url).path.rpartition("/")[2])
    return Page(url, harmless(" ".join(title.split())) or name, harmless("\n\n".join(parts)))


def _read(data: bytes) -> tuple[str, list[str], int]:
    """The title, the text of the pages that are read, and how many there are."""
    texts: list[str] = []
    document = pdfium.PdfDocument(data)
    try:
        left = _MAX_CHARS
        for number in range(min(len(document), MAX_PAGES)):
            page = document[number]
            text = page.get_textpage().get_text_bounded()[:left]
            page.close()
            texts.append("\n".join(line.rstrip() for line in text.splitlines()).strip())
            left -= len(text)
            if left <= 0:
                break
        return document.get_metadata_value("Title"), texts, len(document)
    finally:
        document.close()

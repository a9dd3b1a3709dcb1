"""The pages of one run, in the order the model was shown them."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import TypeAdapter

from ...errors import ToolError
from .page import Page

_PAGES = TypeAdapter(tuple[Page, ...])


class History:
    """Pages by cursor: each display is one more entry, also of a page that was shown before.

    An entry never changes, so that a citation of it stays true; the reference looks a page up by
    its address instead, and a second search there changes what the first one's cursor shows.
    """

    def __init__(self, pages: Iterable[Page] = ()) -> None:
        self._pages = list(pages)

    @property
    def pages(self) -> tuple[Page, ...]:
        """Every page that was shown; the index is the cursor."""
        return tuple(self._pages)

    def add(self, page: Page) -> int:
        """Put a page on top; returns its cursor."""
        self._pages.append(page)
        return len(self._pages) - 1

    def at(self, cursor: int = -1) -> Page:
        """The page under a cursor; -1 is the one on top.

        Raises ToolError if there is none.
        """
        if not self._pages:
            raise ToolError("No pages to access!")
        if not -len(self._pages) <= cursor < len(self._pages):
            raise ToolError(
                f"Cursor `{cursor}` is out of range. "
                f"Available cursor indices: [0 - {len(self._pages) - 1}]."
            )
        return self._pages[cursor]

    def known(self, url: str) -> Page | None:
        """The page last opened at an address, so that going back to it needs no fetch."""
        pages = (page for page in reversed(self._pages) if page.url == url)
        return next(pages, None)

    def to_json(self) -> bytes:
        """Everything there is to know, for a run that is taken up again."""
        return _PAGES.dump_json(self.pages)

    @classmethod
    def from_json(cls, data: bytes) -> History:
        """What `to_json` wrote."""
        return cls(_PAGES.validate_json(data))

"""The pages that the model was shown in one run, in order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from ...errors import ToolError
from .text import Page


@dataclass(frozen=True, slots=True)
class DisplayedPage:
    """One display of a page."""

    page: Page
    lines: range
    """Numbers of the lines that were shown."""


class History:
    """Displays by cursor. Every display is a new entry, even of a page that was shown before.

    Entries never change, so citations stay valid. The reference browser looks pages up by URL
    instead, and there a second search replaces the page under the first search's cursor.
    """

    def __init__(self, displays: Iterable[DisplayedPage] = ()) -> None:
        self._displays: list[DisplayedPage] = []
        self._first_cursors: dict[Page, int] = {}
        """The cursor of each page's first display."""
        for display in displays:
            self.add(display)

    @property
    def displays(self) -> tuple[DisplayedPage, ...]:
        """All displays; the index is the cursor."""
        return tuple(self._displays)

    @property
    def next_cursor(self) -> int:
        """The cursor of the next display."""
        return len(self._displays)

    def add(self, display: DisplayedPage) -> None:
        """Append a display."""
        self._first_cursors.setdefault(display.page, len(self._displays))
        self._displays.append(display)

    def page_at(self, cursor: int = -1) -> Page:
        """Return the page at a cursor; -1 is the last one.

        Raises ToolError if there is none.
        """
        if not self._displays:
            raise ToolError("No pages to access!")
        if not -len(self._displays) <= cursor < len(self._displays):
            raise ToolError(
                f"Cursor `{cursor}` is out of range. "
                f"Available cursor indices: [0 - {len(self._displays) - 1}]."
            )
        return self._displays[cursor].page

    def find_page(self, url: str) -> Page | None:
        """Return the last page shown from a URL, so that going back needs no fetch."""
        pages = (display.page for display in reversed(self._displays) if display.page.url == url)
        return next(pages, None)

    def export_since(self, cursor: int) -> list[Any]:
        """Return the displays from a cursor on as JSON data.

        A page that was shown before is saved as the cursor of its first display.
        """
        saved: list[_SavedDisplay] = []
        for number, display in enumerate(self._displays[cursor:], cursor):
            page, lines = display.page, display.lines
            first = self._first_cursors[page]
            saved.append((page if first == number else first, lines.start, lines.stop))
        return list(_SAVED_DISPLAYS.dump_python(saved, mode="json"))

    def restore(self, saved: Any) -> None:
        """Append displays that `export_since` returned."""
        for page, start, stop in _SAVED_DISPLAYS.validate_python(saved):
            shown = self._displays[page].page if isinstance(page, int) else page
            self.add(DisplayedPage(shown, range(start, stop)))


_SavedDisplay = tuple[Page | int, int, int]
_SAVED_DISPLAYS = TypeAdapter(list[_SavedDisplay])

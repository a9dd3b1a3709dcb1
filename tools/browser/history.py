"""What the model was shown in one run, in order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from ...errors import ToolError
from .text import Page


@dataclass(frozen=True, slots=True)
class Display:
    """One look at a page."""

    page: Page
    shown: range
    """The numbers of the lines that were shown."""


class History:
    """Displays by cursor: each is one more entry, also of a page that was shown before.

    An entry never changes, so that a citation of it stays true; the reference looks a page up by
    its address instead, and a second search there changes what the first one's cursor shows.
    """

    def __init__(self, displays: Iterable[Display] = ()) -> None:
        self._displays: list[Display] = []
        self._first: dict[Page, int] = {}
        """The cursor by which a page was first shown."""
        for display in displays:
            self.add(display)

    @property
    def displays(self) -> tuple[Display, ...]:
        """Everything that was shown; the index is the cursor."""
        return tuple(self._displays)

    @property
    def next_cursor(self) -> int:
        """The cursor of the display that comes next."""
        return len(self._displays)

    def add(self, display: Display) -> None:
        """Put a display on top."""
        self._first.setdefault(display.page, len(self._displays))
        self._displays.append(display)

    def at(self, cursor: int = -1) -> Page:
        """The page under a cursor; -1 is the one on top.

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

    def known(self, url: str) -> Page | None:
        """The page last opened at an address, so that going back to it needs no fetch."""
        pages = (one.page for one in reversed(self._displays) if one.page.url == url)
        return next(pages, None)

    def since(self, cursor: int) -> list[Any]:
        """The displays from a cursor on, as JSON data; a page shown before by its cursor."""
        saved: list[_Saved] = []
        for number, one in enumerate(self._displays[cursor:], cursor):
            first = self._first[one.page]
            saved.append((one.page if first == number else first, one.shown.start, one.shown.stop))
        return list(_SAVED.dump_python(saved, mode="json"))

    def extend(self, saved: Any) -> None:
        """Put displays on top that `since` gave."""
        for page, start, stop in _SAVED.validate_python(saved):
            shown = self._displays[page].page if isinstance(page, int) else page
            self.add(Display(shown, range(start, stop)))


_Saved = tuple[Page | int, int, int]
_SAVED = TypeAdapter(list[_Saved])

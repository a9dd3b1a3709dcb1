"""What a terminal finally shows of text with control characters."""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any

from anyio import to_thread

CLEAR = "\x1b[2J\x1b[H"
"""What the notebook's `clear_output()` writes."""
CLEAR_LATER = "\x1b[2J\x1b[1;1H"
"""What `clear_output(wait=True)` writes: the next output replaces what is there."""

_SEQUENCE = re.compile(
    r"""
    (?: \x1b\[ | \x9b ) [0-?]* [ -/]* [@-~]      # a control sequence
    | (?: \x1b[\]PX^_] | [\x90\x98\x9d-\x9f] )   # a string such as a window's title, to its end
        .*? (?: \x07 | \x1b\\ | \x9c | $ )
    | \x1b [ -/]* [0-~]? | [\x80-\x9f]            # any other sequence
    """,
    re.VERBOSE | re.DOTALL,
)
_MOVES = re.compile(r"\x1b(?:\[(?:\d{0,4}[A-GPX@`ade]|\d{0,4};?\d{0,4}[Hf]|[0-2]?[JK])|[78DEM])")
"""The sequences that move the cursor or erase. Others, such as colors, leave the text as it is."""
_HAS_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\x80-\x9f]")
_MAX_COLUMNS = 10_000
"""Longer lines are wrapped, if the text has control characters."""


async def shown_text(text: str) -> str:
    """Return what a terminal of any size shows after it has printed a text.

    Progress bars are left in their last state. Colors, titles and other sequences have no text.
    """
    text = text.replace("\r\n", "\n").rpartition(CLEAR)[2]
    before, _, after = text.rpartition(CLEAR_LATER)
    text = after or before
    if not _HAS_CONTROLS.search(text):
        return text
    return await to_thread.run_sync(_displayed, text)


def _displayed(text: str) -> str:
    # Imported here, because few programs need it and it takes long. Any, because pyte is untyped.
    pyte: Any = import_module("pyte")
    text = _SEQUENCE.sub(lambda found: found[0] if _MOVES.fullmatch(found[0]) else "", text)
    lines = text.split("\n")
    columns = min(max(map(len, lines)) + 1, _MAX_COLUMNS)
    wrapped = sum(len(line) // columns for line in lines)
    screen = pyte.Screen(columns, len(lines) + wrapped + 1)
    screen.set_mode(pyte.modes.LNM)
    pyte.Stream(screen).feed(text)
    shown = (_line(screen.buffer[y]) for y in range(screen.lines))
    return "\n".join(shown).rstrip("\n") + "\n" * text.endswith("\n")


def _line(cells: Any) -> str:
    """Return the text of a sparse line. The second cell of a wide character is empty."""
    return "".join(cells[x].data for x in range(max(cells, default=-1) + 1)).rstrip()

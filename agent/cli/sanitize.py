"""Text that nobody here wrote, for a terminal."""

from __future__ import annotations

from rich.control import strip_control_codes


def plain(text: str) -> str:
    """`text` without control characters that a terminal would obey; an escape stays visible."""
    return strip_control_codes(text.replace("\x1b", "␛"))

"""Untrusted text made safe for a terminal."""

from __future__ import annotations

from rich.control import strip_control_codes


def sanitize(text: str) -> str:
    """Return `text` without control characters that a terminal acts on. Escapes stay visible."""
    return strip_control_codes(text.replace("\x1b", "␛"))

"""Untrusted text made safe for a terminal."""

from __future__ import annotations

from rich.control import strip_control_codes

from ...harmony.format import replace_surrogates


def sanitize(text: str) -> str:
    """Return `text` without control characters that a terminal acts on. Escapes stay visible."""
    return strip_control_codes(replace_surrogates(text).replace("\x1b", "␛"))

"""Shortening of long text: both ends stay, and all of it is saved in a file."""

from __future__ import annotations

MAX_SAVED = 64 * 1024 * 1024
"""Maximum characters of a text that are saved in its file."""


def shorten(text: str, cap: int, path: str | None = None) -> str:
    """Return at most about `cap` characters, with a note about omitted ones.

    path: a new file for the whole text.
    """
    if len(text) <= cap:
        return text
    half = cap // 2
    note = ""
    if path is not None:
        try:
            with open(path, "x", encoding="utf-8", errors="backslashreplace") as file:
                file.write(text[:MAX_SAVED])
            note = f"; the full text is in {path}"
        except OSError:
            note = "; the full text was not saved: no space left"
    omitted = len(text) - 2 * half
    return f"{text[:half]}\n[... {omitted} characters omitted{note} ...]\n{text[-half:]}"

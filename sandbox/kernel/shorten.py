"""Long text: both ends kept, the whole in a file."""

from __future__ import annotations

SPILL_MAX = 64 * 1024 * 1024
"""Characters of a result that its file holds at most."""


def shorten(text: str, cap: int, path: str | None = None) -> str:
    """Return about `cap` characters at most; what was left out is told, and kept at `path`."""
    if len(text) <= cap:
        return text
    half = cap // 2
    where = ""
    if path is not None:
        try:
            with open(path, "x", encoding="utf-8", errors="backslashreplace") as file:
                file.write(text[:SPILL_MAX])
            where = f"; all of it is in {path}"
        except OSError:
            where = "; it could not be kept, there is no room"
    missing = len(text) - 2 * half
    return f"{text[:half]}\n[... {missing} characters left out{where} ...]\n{text[-half:]}"

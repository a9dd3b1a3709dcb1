"""Paths under /mnt/data, and text that can be encoded."""

from __future__ import annotations

from pathlib import PurePosixPath

from ...errors import SandboxPathError
from ..protocol import DATA_FOLDER


def to_relative(path: str) -> str:
    """Return a path relative to /mnt/data.

    Raises SandboxPathError for a path outside /mnt/data, and for /mnt/data itself.
    """
    pure = PurePosixPath(DATA_FOLDER, replace_surrogates(path))
    invalid = "\0" in path or ".." in pure.parts or not pure.is_relative_to(DATA_FOLDER)
    if invalid or pure == PurePosixPath(DATA_FOLDER):
        raise SandboxPathError(f"{path!r} is not a file path under {DATA_FOLDER}")
    return str(pure.relative_to(DATA_FOLDER))


def replace_surrogates(text: str) -> str:
    """Return text that can be encoded: a lone surrogate becomes U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def to_absolute(path: str) -> str:
    """Return the absolute path of a file; bytes that are not valid text are escaped."""
    return f"{DATA_FOLDER}/{path}".encode("utf-8", "backslashreplace").decode()

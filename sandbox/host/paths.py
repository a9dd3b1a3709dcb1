"""Paths of a sandbox's files, as callers write and read them."""

from __future__ import annotations

from pathlib import PurePosixPath

from ...errors import SandboxPathError
from ..protocol import DATA


def to_relative(path: str) -> str:
    """Return a path relative to /mnt/data.

    Raises SandboxPathError for one that leads elsewhere, or names no file.
    """
    pure = PurePosixPath(DATA, path)
    bad = "\0" in path or ".." in pure.parts or not pure.is_relative_to(DATA)
    if bad or pure == PurePosixPath(DATA):
        raise SandboxPathError(f"{path!r} is no path of a file below {DATA}")
    return str(pure.relative_to(DATA))


def to_absolute(path: str) -> str:
    """Return the absolute path of a file inside; bytes that are no text are escaped."""
    return f"{DATA}/{path}".encode("utf-8", "backslashreplace").decode()

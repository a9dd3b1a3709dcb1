"""The files under /mnt/data, reached part by part, so that no link leads anywhere else."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
MAX_SEEN = 10_000
"""Files and folders that are looked at; a listing holds no more."""
_MAX_DEPTH = 32

Mark = tuple[int, int, int]
"""Modification time in ns, size in bytes, inode: a file whose mark differs has changed."""


def walk(root: str) -> Iterator[tuple[str, os.stat_result]]:
    """Yield (path below root, status) of regular files; links are no files.

    After `MAX_SEEN` entries of any kind it ends.
    """
    pending = [("", 0)]
    seen = 0
    while pending:
        folder, depth = pending.pop()
        try:
            entries = os.scandir(os.path.join(root, folder))
        except OSError:
            continue
        with entries:
            for entry in entries:
                seen += 1
                if seen > MAX_SEEN:
                    return
                status = _status(entry)
                if status is None:
                    continue
                path = os.path.join(folder, entry.name)
                if stat.S_ISDIR(status.st_mode) and depth < _MAX_DEPTH:
                    pending.append((path, depth + 1))
                elif stat.S_ISREG(status.st_mode):
                    yield path, status


def _status(entry: os.DirEntry[str]) -> os.stat_result | None:
    try:
        return entry.stat(follow_symlinks=False)
    except OSError:
        return None


def snapshot(root: str) -> dict[str, Mark]:
    """Return the mark of each file below root."""
    return {path: (s.st_mtime_ns, s.st_size, s.st_ino) for path, s in walk(root)}


def changed(before: dict[str, Mark], after: dict[str, Mark]) -> list[str]:
    """Return the paths that are new or different, sorted."""
    return sorted(path for path, mark in after.items() if before.get(path) != mark)


def open_folder(root: str, folders: list[str], *, create: bool) -> int:
    """Return the descriptor of a folder below root; OSError where a link stands in the way."""
    at = os.open(root, _DIRECTORY & ~os.O_NOFOLLOW)
    for name in folders:
        try:
            if create:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(name, 0o755, dir_fd=at)
            below = os.open(name, _DIRECTORY, dir_fd=at)
        finally:
            os.close(at)
        at = below
    return at


def open_to_read(root: str, path: str) -> tuple[int, int]:
    """Open a regular file; return (descriptor, size in bytes). OSError for anything else."""
    *folders, name = path.split("/")
    at = open_folder(root, folders, create=False)
    try:
        fd = os.open(name, _READ, dir_fd=at)
    finally:
        os.close(at)
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode):
        os.close(fd)
        raise OSError(f"{path} is no regular file")
    return fd, status.st_size


class Upload:
    """A file that arrives in parts, and appears under its name when it is whole."""

    def __init__(self, root: str, path: str) -> None:
        *folders, self._name = path.split("/")
        self._at = open_folder(root, folders, create=True)
        self._part = f".{self._name[:200]}.part"
        try:
            self._unlink_part()
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            self._fd = os.open(self._part, flags, 0o644, dir_fd=self._at)
        except OSError:
            os.close(self._at)
            raise

    def write(self, data: bytes) -> None:
        """Append data; OSError where /mnt/data is full."""
        view = memoryview(data)
        while view:
            view = view[os.write(self._fd, view) :]

    def finish(self) -> None:
        """Put the file in its place. A link of that name is replaced, not followed."""
        try:
            os.replace(self._part, self._name, src_dir_fd=self._at, dst_dir_fd=self._at)
        finally:
            self._close()

    def abandon(self) -> None:
        """Leave nothing behind."""
        self._unlink_part()
        self._close()

    def _unlink_part(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._part, dir_fd=self._at)

    def _close(self) -> None:
        os.close(self._fd)
        os.close(self._at)

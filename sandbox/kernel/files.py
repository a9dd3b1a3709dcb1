"""Access to the files under /mnt/data, one path component at a time: no link is followed."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
MAX_ENTRIES = 10_000
"""Maximum number of files and folders in a listing."""
_MAX_DEPTH = 32

Fingerprint = tuple[int, int, int]
"""Modification time in ns, size in bytes, inode: they differ if a file has changed."""


def walk(root: str) -> Iterator[tuple[str, os.stat_result]]:
    """Yield (path relative to root, status) of each regular file; skip links.

    Stop after `MAX_ENTRIES` entries of any kind.
    """
    pending = [("", 0)]
    count = 0
    while pending:
        folder, depth = pending.pop()
        try:
            entries = os.scandir(os.path.join(root, folder))
        except OSError:
            continue
        with entries:
            for entry in entries:
                count += 1
                if count > MAX_ENTRIES:
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


def snapshot(root: str) -> dict[str, Fingerprint]:
    """Return the fingerprint of each file under root."""
    return {path: (s.st_mtime_ns, s.st_size, s.st_ino) for path, s in walk(root)}


def changed_paths(before: dict[str, Fingerprint], after: dict[str, Fingerprint]) -> list[str]:
    """Return the sorted paths of new and changed files."""
    return sorted(path for path, fingerprint in after.items() if before.get(path) != fingerprint)


def open_folder(root: str, folders: list[str], *, create: bool) -> int:
    """Return a descriptor of a folder under root.

    Raises OSError if one of the folders is a link.
    """
    folder_fd = os.open(root, _DIRECTORY & ~os.O_NOFOLLOW)
    for name in folders:
        try:
            if create:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(name, 0o755, dir_fd=folder_fd)
            child_fd = os.open(name, _DIRECTORY, dir_fd=folder_fd)
        finally:
            os.close(folder_fd)
        folder_fd = child_fd
    return folder_fd


def open_to_read(root: str, path: str) -> tuple[int, int]:
    """Open a regular file; return (descriptor, size in bytes).

    Raises OSError if it is anything else.
    """
    *folders, name = path.split("/")
    folder_fd = open_folder(root, folders, create=False)
    try:
        fd = os.open(name, _READ, dir_fd=folder_fd)
    finally:
        os.close(folder_fd)
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode):
        os.close(fd)
        raise OSError(f"{path} is not a regular file")
    return fd, status.st_size


class Upload:
    """A file that is written in parts, and gets its name when it is complete."""

    def __init__(self, root: str, path: str) -> None:
        *folders, self._name = path.split("/")
        self._folder_fd = open_folder(root, folders, create=True)
        self._part = f".{self._name[:200]}.part"
        try:
            self._unlink_part()
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            self._fd = os.open(self._part, flags, 0o644, dir_fd=self._folder_fd)
        except OSError:
            os.close(self._folder_fd)
            raise

    def write(self, data: bytes) -> None:
        """Append data.

        Raises OSError if /mnt/data is full.
        """
        view = memoryview(data)
        while view:
            view = view[os.write(self._fd, view) :]

    def finish(self) -> None:
        """Move the file to its path. An existing link is replaced, not followed."""
        try:
            os.replace(
                self._part, self._name, src_dir_fd=self._folder_fd, dst_dir_fd=self._folder_fd
            )
        finally:
            self._close()

    def abandon(self) -> None:
        """Remove the incomplete file."""
        self._unlink_part()
        self._close()

    def _unlink_part(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._part, dir_fd=self._folder_fd)

    def _close(self) -> None:
        os.close(self._fd)
        os.close(self._folder_fd)

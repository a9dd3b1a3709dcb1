"""A folder whose files can be read and written by relative paths, and nothing outside it."""

from __future__ import annotations

import os
import stat
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from secrets import token_hex

from .parser import PatchError

MAX_BYTES = 16 * 2**20
"""The largest file that is read."""

# Files in these folders are run by other programs.
_FORBIDDEN = frozenset({".git", ".hg", ".svn"})
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class ConfinedFolder:
    """Reads and writes text files below a folder.

    Every part of a path is opened on its own and never through a symbolic link, so that no path
    and no change of the folder meanwhile leads outside. All methods raise PatchError for a path
    that is not allowed, and OSError.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def normalize(self, path: str) -> str:
        """Return the one spelling of a path: `./a//b` and the absolute path are `a/b`."""
        return "/".join(self._parts(path))

    def read(self, path: str) -> str | None:
        """Return the text of a file; None if there is none.

        Raises PatchError if it is not text in UTF-8, or is larger than MAX_BYTES.
        """
        try:
            with self._parent(path) as (parent, name):
                file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=parent)
        except FileNotFoundError:
            return None
        try:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise PatchError(f"{path} is not a file")
            with open(file, "rb", closefd=False) as opened:
                data = opened.read(MAX_BYTES + 1)
        finally:
            os.close(file)
        if len(data) > MAX_BYTES:
            raise PatchError(f"{path} is too large to patch")
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            raise PatchError(f"{path} is not a text file in UTF-8") from error

    def write(self, path: str, text: str) -> None:
        """Replace a file in one step, or create it with its folders. Permissions stay."""
        with self._parent(path, create=True) as (parent, name):
            mode = 0o666
            with suppress(FileNotFoundError):
                before = os.stat(name, dir_fd=parent, follow_symlinks=False)
                if not stat.S_ISREG(before.st_mode):
                    raise PatchError(f"{path} is not a file")
                mode = stat.S_IMODE(before.st_mode)
            temporary = f".{name[:100]}.{token_hex(8)}"
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
            file = os.open(temporary, flags, mode, dir_fd=parent)
            try:
                with os.fdopen(file, "wb") as opened:
                    if mode != 0o666:
                        os.fchmod(file, mode)
                    opened.write(text.encode())
                os.rename(temporary, name, src_dir_fd=parent, dst_dir_fd=parent)
            except BaseException:
                with suppress(OSError):
                    os.unlink(temporary, dir_fd=parent)
                raise

    def delete(self, path: str) -> None:
        """Delete a file, if it is there."""
        with suppress(FileNotFoundError), self._parent(path) as (parent, name):
            os.unlink(name, dir_fd=parent)

    @contextmanager
    def _parent(self, path: str, *, create: bool = False) -> Generator[tuple[int, str]]:
        """Open the folder that a path's last part is in; give its descriptor and the last part."""
        *folders, name = self._parts(path)
        opened = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for folder in folders:
                if create:
                    with suppress(FileExistsError):
                        os.mkdir(folder, dir_fd=opened)
                try:
                    inner = os.open(folder, _FOLDER, dir_fd=opened)
                except NotADirectoryError as error:
                    raise PatchError(f"{folder!r} in {path} is a file or a link") from error
                os.close(opened)
                opened = inner
            yield opened, name
        finally:
            os.close(opened)

    def _parts(self, path: str) -> tuple[str, ...]:
        written = PurePosixPath(path)
        if written.is_absolute():
            with suppress(ValueError):
                written = written.relative_to(self._root)
        parts = written.parts
        if not parts or written.is_absolute() or ".." in parts or "\0" in path or path[-1:] == "/":
            raise PatchError(f"{path!r} is not a path below the folder: write `folder/name.txt`")
        if not _FORBIDDEN.isdisjoint(part.lower() for part in parts):
            raise PatchError(f"{path} belongs to version control, which a patch must not change")
        return parts

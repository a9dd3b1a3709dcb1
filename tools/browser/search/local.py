"""Search in a folder of the user's own, by the full-text index of SQLite."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from urllib.parse import quote, unquote
from weakref import finalize

from anyio import to_thread

from ....errors import ToolDefinitionError, ToolError
from ..text import SOURCE_PREFIX, Page
from .backend import Hit
from .index import Index

KINDS = {
    ".html": "text/html",
    ".htm": "text/html",
    ".xhtml": "application/xhtml+xml",
    ".md": "text/markdown",
    ".rst": "text/x-rst",
    ".txt": "text/plain",
    ".csv": "text/csv",
    ".json": "application/json",
    ".pdf": "application/pdf",
}
"""What is read, by the ending of a file's name."""
MAX_BYTES = 32 * 1024 * 1024
"""Files that are larger are left out."""

_LINK = re.compile(r"【\d+†([^†】]*)(?:†[^†】]*)?】")
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, eq=False)
class LocalSearch:
    """A folder of HTML, Markdown, PDF and text as a library: the model searches it and opens it.

    It is read when the first run searches or opens something, in a thread; this process sees no
    later changes.
    """

    folder: Path | str
    url: str = "http://library.internal/"
    """What stands before a file's path in its address; give the site's own if it is a copy of one,
    so that citations lead there."""
    index: Path | str | None = None
    """A file to keep the full-text index in, so that the next process reads only what has changed;
    None keeps it in memory."""
    _lock: Lock = field(default_factory=Lock, init=False, repr=False)
    _open: list[Index] = field(default_factory=list[Index], init=False, repr=False)

    def __post_init__(self) -> None:
        if not Path(self.folder).is_dir():
            raise ToolDefinitionError(f"LocalSearch has no folder {str(self.folder)!r}")
        if self.index is not None and not Path(self.index).parent.is_dir():
            raise ToolDefinitionError(f"there is no folder for the index {str(self.index)!r}")

    async def search(self, query: str, *, topn: int) -> Sequence[Hit]:
        """The pages that have most of the words, rare words first."""
        return await to_thread.run_sync(self._search, query, topn)

    async def page(self, url: str) -> Page | None:
        """The page of a file, by its address; None for an address of any other place.

        Raises ToolError if there is no such file.
        """
        plain = url.removeprefix(SOURCE_PREFIX)
        if not plain.startswith(self._root):
            return None
        path = unquote(plain.removeprefix(self._root).partition("#")[0].partition("?")[0])
        return await to_thread.run_sync(self._page, path, plain != url)

    @property
    def _root(self) -> str:
        return self.url.rstrip("/") + "/"

    def _search(self, query: str, topn: int) -> list[Hit]:
        # Words alone: the query language of the index is not the model's to write.
        words = " OR ".join(f'"{word}"' for word in _WORD.findall(query))
        if not words:
            raise ToolError("the query has no word in it")
        return [
            Hit(self._address(found.path), found.title, " ".join(found.passage.split()))
            for found in self._indexed().search(words, topn)
        ]

    def _page(self, path: str, source: bool) -> Page:
        for name in (path, f"{path}index.html", f"{path}/index.html", f"{path}.html"):
            if name in self._indexed():
                return self._read(name, source=source)
        raise ToolError(f"Error fetching URL `{self._address(path)}`: the library has no such page")

    def _indexed(self) -> Index:
        """The index, brought up to date when it is first asked for."""
        with self._lock:
            if not self._open:
                index = Index(self.index)
                try:
                    index.update(dict(self._stamps()), self._entry)
                except BaseException:
                    index.close()
                    raise
                finalize(self, index.close)
                self._open.append(index)
            return self._open[0]

    def _stamps(self) -> Iterator[tuple[str, str]]:
        """The files that can be searched, by their paths, with what changes when they do."""
        root = Path(self.folder).resolve()
        for file in sorted(root.rglob("*")):
            inside = file.resolve().is_relative_to(root)
            if file.suffix.lower() not in KINDS or not inside or not file.is_file():
                continue
            status = file.stat()
            if status.st_size <= MAX_BYTES:
                path = file.relative_to(root).as_posix()
                yield path, f"{status.st_size} {status.st_mtime_ns}"

    def _entry(self, path: str) -> tuple[str, str] | None:
        try:
            page = self._read(path)
        except ToolError:
            return None
        return page.title, _LINK.sub(r"\1", page.text)

    def _read(self, path: str, *, source: bool = False) -> Page:
        from ..text import Document, read_document  # its parsers are heavy

        file = Path(self.folder, path)
        data = file.read_bytes()
        document = Document(self._address(path), KINDS[file.suffix.lower()], data)
        return read_document(document, source=source)

    def _address(self, path: str) -> str:
        return self._root + quote(path)

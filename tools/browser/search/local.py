"""Search in a local folder, with the full-text index of SQLite."""

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
from ..text import SOURCE_PREFIX, Document, Page, read_document
from .backend import Hit
from .index import FullTextIndex

MEDIA_TYPES = {
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
"""The types of the files that are indexed, by file name extension."""
MAX_BYTES = 32 * 1024 * 1024
"""Larger files are not indexed."""

_LINK_MARK = re.compile(r"【\d+†([^†】]*)(?:†[^†】]*)?】")
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, eq=False)
class LocalSearch:
    """A folder of HTML, Markdown, PDF and text files that the model can search and open.

    A thread reads the folder at the first search or open. The process does not see later changes.
    """

    folder: Path | str
    url: str = "http://library.internal/"
    """The URL of the folder. If it is a copy of a site, use the site's URL, so that citations lead
    there."""
    index: Path | str | None = None
    """A file for the full-text index, so that the next process reads only changed files. None keeps
    the index in memory."""
    _lock: Lock = field(default_factory=Lock, init=False, repr=False)
    _open_indexes: list[FullTextIndex] = field(
        default_factory=list[FullTextIndex], init=False, repr=False
    )
    """The index after the first use, else empty. A list, because the fields are frozen."""

    def __post_init__(self) -> None:
        if not Path(self.folder).is_dir():
            raise ToolDefinitionError(f"LocalSearch: folder {str(self.folder)!r} does not exist")
        if self.index is not None and not Path(self.index).parent.is_dir():
            raise ToolDefinitionError(
                f"LocalSearch: the folder of the index {str(self.index)!r} does not exist"
            )

    async def search(self, query: str, *, topn: int) -> Sequence[Hit]:
        """Return the pages that match the most words. Rare words count more."""
        return await to_thread.run_sync(self._search, query, topn)

    async def get_page(self, url: str) -> Page | None:
        """Return the page of a file by its URL, or None if the URL is outside the folder.

        Raises ToolError if there is no such file.
        """
        page_url = url.removeprefix(SOURCE_PREFIX)
        if not page_url.startswith(self._root_url):
            return None
        path = page_url.removeprefix(self._root_url).partition("#")[0].partition("?")[0]
        return await to_thread.run_sync(self._get_page, unquote(path), page_url != url)

    @property
    def _root_url(self) -> str:
        return self.url.rstrip("/") + "/"

    def _search(self, query: str, topn: int) -> list[Hit]:
        # Quote each word, so that the model cannot use the query syntax of the index by accident.
        words = " OR ".join(f'"{word}"' for word in _WORD.findall(query))
        if not words:
            raise ToolError("the query contains no words")
        return [
            Hit(self._file_url(match.path), match.title, " ".join(match.passage.split()))
            for match in self._get_index().search(words, topn)
        ]

    def _get_page(self, path: str, source: bool) -> Page:
        index = self._get_index()
        for candidate in (path, f"{path}index.html", f"{path}/index.html", f"{path}.html"):
            if candidate in index:
                return self._read(candidate, source=source)
        raise ToolError(f"Error fetching URL `{self._file_url(path)}`: page not found")

    def _get_index(self) -> FullTextIndex:
        """Return the index. The first call opens and updates it."""
        with self._lock:
            if not self._open_indexes:
                index = FullTextIndex(self.index)
                try:
                    index.update(dict(self._stamps()), self._read_for_index)
                except BaseException:
                    index.close()
                    raise
                finalize(self, index.close)
                self._open_indexes.append(index)
            return self._open_indexes[0]

    def _stamps(self) -> Iterator[tuple[str, str]]:
        """Yield the path of each file to index, with a value that changes when the file does."""
        root = Path(self.folder).resolve()
        for file in sorted(root.rglob("*")):
            inside = file.resolve().is_relative_to(root)
            if file.suffix.lower() not in MEDIA_TYPES or not inside or not file.is_file():
                continue
            status = file.stat()
            if status.st_size <= MAX_BYTES:
                path = file.relative_to(root).as_posix()
                yield path, f"{status.st_size} {status.st_mtime_ns}"

    def _read_for_index(self, path: str) -> tuple[str, str] | None:
        try:
            page = self._read(path)
        except ToolError:
            return None
        return page.title, _LINK_MARK.sub(r"\1", page.text)

    def _read(self, path: str, *, source: bool = False) -> Page:
        file = Path(self.folder, path)
        media_type = MEDIA_TYPES[file.suffix.lower()]
        document = Document(self._file_url(path), media_type, file.read_bytes())
        return read_document(document, source=source)

    def _file_url(self, path: str) -> str:
        return self._root_url + quote(path)

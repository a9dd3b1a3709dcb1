"""Search in a folder of the user's own, by the full-text index of SQLite."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from urllib.parse import quote, unquote
from weakref import finalize

from anyio import to_thread

from ....errors import ToolDefinitionError, ToolError
from ..page import SOURCE_PREFIX, Page
from .backend import Hit

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

_SCHEMA = "CREATE VIRTUAL TABLE pages USING fts5(path UNINDEXED, title, text, tokenize='porter')"
# The title counts five times; of the text, the passage with most of the words is shown.
_QUERY = """
SELECT path, title, snippet(pages, 2, '', '', ' … ', 32) FROM pages
WHERE pages MATCH ? ORDER BY bm25(pages, 0, 5, 1) LIMIT ?
"""
_LINK = re.compile(r"【\d+†([^†】]*)(?:†[^†】]*)?】")
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, eq=False)
class LocalSearch:
    """A folder of HTML, Markdown, PDF and text as a library: the model searches it and opens it.

    It is read when the first run searches or opens something, in a thread; later changes are not
    seen.
    """

    folder: Path | str
    url: str = "http://library.internal/"
    """What stands before a file's path in its address; give the site's own if it is a copy of one,
    so that citations lead there."""
    _lock: Lock = field(default_factory=Lock, init=False, repr=False)
    _index: list[sqlite3.Connection] = field(
        default_factory=list[sqlite3.Connection], init=False, repr=False
    )

    def __post_init__(self) -> None:
        if not Path(self.folder).is_dir():
            raise ToolDefinitionError(f"LocalSearch has no folder {str(self.folder)!r}")

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
        found = self._connection().execute(_QUERY, (words, topn)).fetchall()
        return [
            Hit(self._address(path), title, " ".join(text.split())) for path, title, text in found
        ]

    def _page(self, path: str, source: bool) -> Page:
        for name in (path, f"{path}index.html", f"{path}/index.html", f"{path}.html"):
            known = self._connection().execute("SELECT 1 FROM pages WHERE path = ?", (name,))
            if known.fetchone():
                return self._read(name, source=source)
        raise ToolError(f"Error fetching URL `{self._address(path)}`: the library has no such page")

    def _connection(self) -> sqlite3.Connection:
        """The index; it is made when it is first asked for."""
        with self._lock:
            if not self._index:
                index = self._made()
                finalize(self, index.close)
                self._index.append(index)
            return self._index[0]

    def _made(self) -> sqlite3.Connection:
        index = sqlite3.connect(":memory:", check_same_thread=False)
        index.execute(_SCHEMA)
        index.executemany("INSERT INTO pages VALUES (?, ?, ?)", self._rows())
        index.commit()
        return index

    def _rows(self) -> Iterator[tuple[str, str, str]]:
        root = Path(self.folder).resolve()
        for file in sorted(root.rglob("*")):
            inside = file.resolve().is_relative_to(root)
            if file.suffix.lower() not in KINDS or not inside or not file.is_file():
                continue
            path = file.relative_to(root).as_posix()
            if file.stat().st_size <= MAX_BYTES:
                try:
                    page = self._read(path)
                except ToolError:
                    continue
                yield path, page.title, _LINK.sub(r"\1", page.text)

    def _read(self, path: str, *, source: bool = False) -> Page:
        from ..document import Document, read_document  # its parsers are heavy

        file = Path(self.folder, path)
        data = file.read_bytes()
        document = Document(self._address(path), KINDS[file.suffix.lower()], data)
        return read_document(document, source=source)

    def _address(self, path: str) -> str:
        return self._root + quote(path)

"""A full-text index of files, by SQLite; what has not changed is not read again."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from ....errors import ToolError

BUSY_S = 120.0
"""How long to wait for another process that reads files into the same index."""

_OURS = 0x6F737361
"""What marks a file as an index of ours: its `application_id`."""
_FORMAT = 1
# A file and its page have one rowid. The stamp says whether the file is still what was read.
_SCHEMA = (
    "DROP TABLE IF EXISTS files",
    "DROP TABLE IF EXISTS pages",
    "CREATE TABLE files (id INTEGER PRIMARY KEY, path TEXT UNIQUE, stamp TEXT)",
    "CREATE VIRTUAL TABLE pages USING fts5(title, text, tokenize='porter')",
    f"PRAGMA application_id={_OURS}",
    f"PRAGMA user_version={_FORMAT}",
)
# The title counts five times; of the text, the passage with most of the words is shown.
_QUERY = """
SELECT path, title, snippet(pages, 1, '', '', ' … ', 32) FROM pages
JOIN files ON files.id = pages.rowid
WHERE pages MATCH ? ORDER BY bm25(pages, 5, 1) LIMIT ?
"""


class Found(NamedTuple):
    """A file that has the words."""

    path: str
    title: str
    passage: str


class Index:
    """Titles and texts of files, by their paths; for any thread.

    path: the file to keep it in, made if it is not there; None keeps it in memory.

    Raises ToolError if that file is no index, or cannot be used.
    """

    def __init__(self, path: Path | str | None = None) -> None:
        self._path = path
        with self._named():
            self._connection = sqlite3.connect(
                path or ":memory:", timeout=BUSY_S, isolation_level=None, check_same_thread=False
            )

    def close(self) -> None:
        """Close it; what was kept in memory is gone."""
        self._connection.close()

    def update(
        self, stamps: Mapping[str, str], read: Callable[[str], tuple[str, str] | None]
    ) -> None:
        """Make it an index of these files, and of no others.

        stamps: by path, something that is another when the file has changed.
        read: title and text of a file; None if it cannot be read, and so never be found.
        """
        with self._named(), self._at_once() as index:
            self._prepare(index)
            known = dict(index.execute("SELECT path, stamp FROM files").fetchall())
            for path in known.keys() - stamps.keys():
                self._forget(index, path)
            for path, stamp in stamps.items():
                if known.get(path) == stamp:
                    continue
                self._forget(index, path)
                index.execute("INSERT INTO files (path, stamp) VALUES (?, ?)", (path, stamp))
                row = index.lastrowid
                if page := read(path):
                    index.execute(
                        "INSERT INTO pages (rowid, title, text) VALUES (?, ?, ?)", (row, *page)
                    )

    def search(self, query: str, limit: int) -> list[Found]:
        """The files that suit a query of FTS5 best."""
        with self._named():
            rows = self._connection.execute(_QUERY, (query, limit)).fetchall()
        return [Found(*row) for row in rows]

    def __contains__(self, path: str) -> bool:
        with self._named():
            found = self._connection.execute("SELECT 1 FROM files WHERE path = ?", (path,))
            return found.fetchone() is not None

    def _prepare(self, index: sqlite3.Cursor) -> None:
        """Make the tables, unless they are there; a file of somebody else's is left alone."""
        (tables,) = index.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
        (owner,) = index.execute("PRAGMA application_id").fetchone()
        (version,) = index.execute("PRAGMA user_version").fetchone()
        if tables and owner != _OURS:
            raise sqlite3.DatabaseError("it is a database of another program")
        if (owner, version) != (_OURS, _FORMAT):
            for statement in _SCHEMA:
                index.execute(statement)

    def _forget(self, index: sqlite3.Cursor, path: str) -> None:
        index.execute(
            "DELETE FROM pages WHERE rowid = (SELECT id FROM files WHERE path = ?)", (path,)
        )
        index.execute("DELETE FROM files WHERE path = ?", (path,))

    @contextmanager
    def _at_once(self) -> Generator[sqlite3.Cursor]:
        """A transaction: another process waits for its end, and then finds little left to do."""
        cursor = self._connection.cursor()
        cursor.execute("BEGIN IMMEDIATE")
        try:
            yield cursor
        except BaseException:
            cursor.execute("ROLLBACK")
            raise
        cursor.execute("COMMIT")

    @contextmanager
    def _named(self) -> Generator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise ToolError(f"the index {self._path} cannot be used: {error}") from error

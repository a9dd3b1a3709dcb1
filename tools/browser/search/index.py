"""A full-text index of files in SQLite. Unchanged files are not read again."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from ....errors import ToolError

BUSY_S = 120.0
"""Seconds to wait for another process that updates the same index."""

_APPLICATION_ID = 0x6F737361
"""Identifies a SQLite file as an index of ossia."""
_VERSION = 1
# A file and its page have the same rowid. The stamp changes when the file changes.
_SCHEMA = (
    "DROP TABLE IF EXISTS files",
    "DROP TABLE IF EXISTS pages",
    "CREATE TABLE files (id INTEGER PRIMARY KEY, path TEXT UNIQUE, stamp TEXT)",
    "CREATE VIRTUAL TABLE pages USING fts5(title, text, tokenize='porter')",
    f"PRAGMA application_id={_APPLICATION_ID}",
    f"PRAGMA user_version={_VERSION}",
)
# A word in the title counts five times. The snippet is the passage with the most query words.
_QUERY = """
SELECT path, title, snippet(pages, 1, '', '', ' … ', 32) FROM pages
JOIN files ON files.id = pages.rowid
WHERE pages MATCH ? ORDER BY bm25(pages, 5, 1) LIMIT ?
"""


class Match(NamedTuple):
    """A file that matches a query."""

    path: str
    title: str
    passage: str


class FullTextIndex:
    """A full-text index of files by path. Any thread may use it.

    path: the index's file, created if it is missing. None keeps the index in memory.

    Raises ToolError if the file is not an index or cannot be used.
    """

    def __init__(self, path: Path | str | None = None) -> None:
        self._path = path
        with self._sqlite_errors():
            self._connection = sqlite3.connect(
                path or ":memory:", timeout=BUSY_S, isolation_level=None, check_same_thread=False
            )

    def close(self) -> None:
        """Close the index. An index in memory is lost."""
        self._connection.close()

    def update(
        self, stamps: Mapping[str, str], read: Callable[[str], tuple[str, str] | None]
    ) -> None:
        """Update the index to contain exactly these files.

        stamps: by path, a value that changes when the file changes.
        read: returns a file's title and text, or None if it cannot be read.
        """
        with self._sqlite_errors(), self._transaction() as cursor:
            self._create_tables(cursor)
            indexed = dict(cursor.execute("SELECT path, stamp FROM files").fetchall())
            for path in indexed.keys() - stamps.keys():
                self._remove(cursor, path)
            for path, stamp in stamps.items():
                if indexed.get(path) == stamp:
                    continue
                self._remove(cursor, path)
                cursor.execute("INSERT INTO files (path, stamp) VALUES (?, ?)", (path, stamp))
                row = cursor.lastrowid
                if page := read(path):
                    cursor.execute(
                        "INSERT INTO pages (rowid, title, text) VALUES (?, ?, ?)", (row, *page)
                    )

    def search(self, query: str, limit: int) -> list[Match]:
        """Return the files that best match a query in the syntax of FTS5."""
        with self._sqlite_errors():
            rows = self._connection.execute(_QUERY, (query, limit)).fetchall()
        return [Match(*row) for row in rows]

    def __contains__(self, path: str) -> bool:
        with self._sqlite_errors():
            rows = self._connection.execute("SELECT 1 FROM files WHERE path = ?", (path,))
            return rows.fetchone() is not None

    def _create_tables(self, cursor: sqlite3.Cursor) -> None:
        """Create the tables if they are missing. A database of another program is not changed."""
        (table_count,) = cursor.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
        (application_id,) = cursor.execute("PRAGMA application_id").fetchone()
        (version,) = cursor.execute("PRAGMA user_version").fetchone()
        if table_count and application_id != _APPLICATION_ID:
            raise sqlite3.DatabaseError("it belongs to another program")
        if (application_id, version) != (_APPLICATION_ID, _VERSION):
            for statement in _SCHEMA:
                cursor.execute(statement)

    def _remove(self, cursor: sqlite3.Cursor, path: str) -> None:
        cursor.execute(
            "DELETE FROM pages WHERE rowid = (SELECT id FROM files WHERE path = ?)", (path,)
        )
        cursor.execute("DELETE FROM files WHERE path = ?", (path,))

    @contextmanager
    def _transaction(self) -> Generator[sqlite3.Cursor]:
        """Run a transaction. Other processes wait for it, and then have little left to update."""
        cursor = self._connection.cursor()
        cursor.execute("BEGIN IMMEDIATE")
        try:
            yield cursor
        except BaseException:
            cursor.execute("ROLLBACK")
            raise
        cursor.execute("COMMIT")

    @contextmanager
    def _sqlite_errors(self) -> Generator[None]:
        """Raise errors of SQLite as ToolError, with the path of the index."""
        try:
            yield
        except sqlite3.Error as error:
            raise ToolError(f"cannot use the search index {self._path}: {error}") from error

"""A journal in one SQLite file, which several processes may use at the same time."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import anyio
import platformdirs
from anyio import to_thread

from ...errors import JournalError
from ..shared_resource import SharedResource, UsesSharedResource
from .protocol import (
    RunSummary,
    blob_not_found,
    digest_of,
    run_not_found,
    run_taken_over,
    summarize_run,
)
from .records import Record, from_json, to_json
from .upgrade import stored_kinds

T = TypeVar("T")

BUSY_S = 30.0
"""How long a write waits for the writes of other processes."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS records (
    run_id TEXT NOT NULL,
    number INTEGER NOT NULL,
    kind TEXT NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (run_id, number)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS blobs (digest TEXT PRIMARY KEY, data BLOB NOT NULL) WITHOUT ROWID;
"""
_TURN_KINDS = stored_kinds("turn_sampled")
_SUMMARY_KINDS = (*stored_kinds("run_opened"), *stored_kinds("user_message_added"))
_FORMAT = 2
"""Version of the file format, stored as the file's `user_version`."""
_READABLE = frozenset({1, _FORMAT})
"""Formats that this version reads. The first write makes a file of format 1 one of format 2."""


def _in(values: Sequence[str]) -> str:
    return f"IN ({', '.join('?' * len(values))})"


# Only the number of placeholders is put into these queries.
_SUMMARY_RECORDS = f"""
SELECT run_id, record FROM records AS row
WHERE kind {_in(_SUMMARY_KINDS)}
    OR number = (SELECT MAX(number) FROM records WHERE run_id = row.run_id)
ORDER BY run_id, number
"""  # noqa: S608
_STEPS = f"SELECT run_id, COUNT(*) FROM records WHERE kind {_in(_TURN_KINDS)} GROUP BY run_id"  # noqa: S608


class SQLiteJournal(UsesSharedResource["_Connection"]):
    """A journal in one file. A commit survives a power failure (WAL, synchronous=FULL).

    path: the file; None: `journal.db` in the user's state folder. It is created when first used.

    A thread does the writing, and records that several runs write at the same time share a commit.
    As an async context manager, the journal keeps its connection open between runs.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        folder = platformdirs.user_state_path("ossia")
        self.path = folder / "journal.db" if path is None else Path(path)
        self._shared = SharedResource(self._open_connection)

    def __repr__(self) -> str:
        return f"SQLiteJournal({str(self.path)!r})"

    async def append(
        self, run_id: str, number: int, records: Sequence[Record], blobs: Sequence[bytes] = ()
    ) -> None:
        """Add records to a run; see `Journal.append`."""
        entry = _Entry(
            rows=[
                (run_id, number + i, record.kind, to_json(record))
                for i, record in enumerate(records)
            ],
            blobs=[(digest_of(data), data) for data in blobs],
        )
        async with self._shared.use() as connection:
            await connection.write(entry)
        if entry.refused:
            raise run_taken_over(run_id)

    async def read(self, run_id: str) -> list[Record]:
        """Return all records of a run, in order; see `Journal.read`."""
        rows = await self._query(
            "SELECT record FROM records WHERE run_id = ? ORDER BY number", run_id
        )
        if not rows:
            raise run_not_found(run_id, [run.run_id for run in await self.runs()])
        return await to_thread.run_sync(lambda: [from_json(row[0]) for row in rows])

    async def blob(self, digest: str) -> bytes:
        """Return a blob by its digest; see `Journal.blob`."""
        rows = await self._query("SELECT data FROM blobs WHERE digest = ?", digest)
        if not rows:
            raise blob_not_found(digest)
        return bytes(rows[0][0])

    async def runs(self) -> list[RunSummary]:
        """Return a summary of each run, newest first."""
        rows = await self._query(_SUMMARY_RECORDS, *_SUMMARY_KINDS)
        steps = dict(await self._query(_STEPS, *_TURN_KINDS))

        def summaries() -> list[RunSummary]:
            records: dict[str, list[Record]] = {}
            for run_id, record in rows:
                records.setdefault(run_id, []).append(from_json(record))
            runs = [summarize_run(*run, steps=steps.get(run[0], 0)) for run in records.items()]
            return sorted(runs, key=lambda run: run.started_at, reverse=True)

        return await to_thread.run_sync(summaries)

    async def _query(self, query: str, *values: str) -> list[tuple[Any, ...]]:
        async with self._shared.use() as connection:
            return await connection.call(
                lambda: connection.database.execute(query, values).fetchall()
            )

    @asynccontextmanager
    async def _open_connection(self) -> AsyncGenerator[_Connection]:
        connection = _Connection(self.path)
        try:
            yield connection
        finally:
            with anyio.CancelScope(shield=True):
                await connection.close()


@dataclass
class _Entry:
    """One `append`."""

    rows: list[tuple[str, int, str, bytes]]
    blobs: list[tuple[str, bytes]]
    refused: bool = False
    """Whether the run already has a record of that number."""


@dataclass
class _Batch:
    """The entries of one commit."""

    entries: list[_Entry] = field(default_factory=list[_Entry])
    error: JournalError | None = None


class _Connection:
    """A connection to the file, shared by all runs of one event loop."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._database: sqlite3.Connection | None = None
        self._lock = anyio.Lock()
        self._next_batch = _Batch()

    @property
    def database(self) -> sqlite3.Connection:
        """The SQLite connection, opened when first used; only for the thread that has the lock."""
        if self._database is None:
            self._database = _connect(self._path)
        return self._database

    async def write(self, entry: _Entry) -> None:
        """Commit an entry together with all entries that arrive during the current commit."""
        batch = self._next_batch
        batch.entries.append(entry)
        async with self._lock:
            if batch is self._next_batch:  # not committed yet by another task
                self._next_batch = _Batch()
                try:
                    await self._in_thread(lambda: _commit(self.database, self._path, batch.entries))
                except JournalError as error:
                    batch.error = error
        if batch.error is not None:
            raise batch.error

    async def call(self, function: Callable[[], T]) -> T:
        """Call a function that uses the database, while no other task does."""
        async with self._lock:
            return await self._in_thread(function)

    async def close(self) -> None:
        """Close the database if it is open."""
        async with self._lock:
            if self._database is not None:
                await self._in_thread(self._database.close)
                self._database = None

    async def _in_thread(self, function: Callable[[], T]) -> T:
        # Shielded, because a started commit always completes and other tasks may wait for it. It
        # has a deadline of its own, BUSY_S.
        results: list[T] = []
        try:
            with anyio.CancelScope(shield=True):
                results.append(await to_thread.run_sync(function))
        except (sqlite3.Error, OSError) as error:
            raise JournalError(f"the journal {self._path} cannot be used: {error}") from error
        return results[0]


def _connect(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Threads may share the connection, because each use has the lock.
    connection = sqlite3.connect(
        path, timeout=BUSY_S, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        if _read_format(connection, path) is None:
            connection.executescript(_SCHEMA)
            connection.execute(f"PRAGMA user_version={_FORMAT}")
    except BaseException:
        connection.close()
        raise
    return connection


def _read_format(database: sqlite3.Connection | sqlite3.Cursor, path: Path) -> int | None:
    """Return a file's format; None if the file is new. Raises JournalError if it is unknown."""
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if version not in {0, *_READABLE}:
        raise JournalError(
            f"{path} is a journal of format {version}, and this ossia reads formats 1 to {_FORMAT}:"
            " update ossia, or use another file"
        )
    return int(version) or None


def _commit(connection: sqlite3.Connection, path: Path, entries: Sequence[_Entry]) -> None:
    # IMMEDIATE, because a transaction that starts with a read cannot wait for another writer later.
    with closing(connection.cursor()) as cursor:
        cursor.execute("BEGIN IMMEDIATE")
        try:
            # Earlier versions cannot read the records that this one writes. With the new format,
            # they refuse the file. A file that is only read keeps its format.
            if _read_format(cursor, path) != _FORMAT:
                cursor.execute(f"PRAGMA user_version={_FORMAT}")
            for entry in entries:
                _insert(cursor, entry)
        except BaseException:
            cursor.execute("ROLLBACK")
            raise
        cursor.execute("COMMIT")


def _insert(cursor: sqlite3.Cursor, entry: _Entry) -> None:
    try:
        cursor.executemany("INSERT INTO records VALUES (?, ?, ?, ?)", entry.rows)
    except sqlite3.IntegrityError:
        # Numbers have no gaps, so the first row is the duplicate and no row was inserted.
        entry.refused = True
        return
    cursor.executemany("INSERT OR IGNORE INTO blobs VALUES (?, ?)", entry.blobs)

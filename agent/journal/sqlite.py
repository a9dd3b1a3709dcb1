"""The journal as one SQLite file, for as many processes as like."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import platformdirs
from anyio import CancelScope, Lock, to_thread

from ...errors import JournalError
from ..shared_resource import SharedResource, UsesSharedResource
from .protocol import RunSummary, digest_of, missing_blob, run_not_found, summary_of, taken_run
from .records import Record, from_json, to_json
from .upgrade import stored_kinds

T = TypeVar("T")

BUSY_S = 30.0
"""How long a write waits for other processes' writes."""

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


class SQLiteJournal(UsesSharedResource["_Desk"]):
    """One file, written so that a commit survives the loss of power (WAL, synchronous=FULL).

    path: the file; None: `journal.db` in the user's state folder. It is made at the first use.

    Writing happens in a thread, and what several runs write at once goes into one commit, so no
    run waits for another's disk. As an async context manager it keeps its connection between runs.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        folder = platformdirs.user_state_path("ossia")
        self.path = folder / "journal.db" if path is None else Path(path)
        self._shared = SharedResource(self._desk)

    def __repr__(self) -> str:
        return f"SQLiteJournal({str(self.path)!r})"

    async def append(
        self, run_id: str, number: int, records: Sequence[Record], blobs: Sequence[bytes] = ()
    ) -> None:
        """Add records to a run; see `Journal.append`."""
        entry = _Entry(
            rows=[(run_id, number + i, one.kind, to_json(one)) for i, one in enumerate(records)],
            blobs=[(digest_of(data), data) for data in blobs],
        )
        async with self._shared.use() as desk:
            await desk.write(entry)
        if entry.refused:
            raise taken_run(run_id)

    async def read(self, run_id: str) -> list[Record]:
        """Return all records of a run, in order; see `Journal.read`."""
        found = await self._ask(
            "SELECT record FROM records WHERE run_id = ? ORDER BY number", run_id
        )
        if not found:
            raise run_not_found(run_id, [run.run_id for run in await self.runs()])
        return await to_thread.run_sync(lambda: [from_json(row[0]) for row in found])

    async def blob(self, digest: str) -> bytes:
        """Return a content by its digest; see `Journal.blob`."""
        found = await self._ask("SELECT data FROM blobs WHERE digest = ?", digest)
        if not found:
            raise missing_blob(digest)
        return bytes(found[0][0])

    async def runs(self) -> list[RunSummary]:
        """Return the runs, the newest first."""
        rows = await self._ask(_SUMMARY_RECORDS, *_SUMMARY_KINDS)
        steps = dict(await self._ask(_STEPS, *_TURN_KINDS))

        def summaries() -> list[RunSummary]:
            runs: dict[str, list[Record]] = {}
            for run_id, record in rows:
                runs.setdefault(run_id, []).append(from_json(record))
            found = [summary_of(*run, steps=steps.get(run[0], 0)) for run in runs.items()]
            return sorted(found, key=lambda run: run.started_at, reverse=True)

        return await to_thread.run_sync(summaries)

    async def _ask(self, query: str, *values: str) -> list[tuple[Any, ...]]:
        async with self._shared.use() as desk:
            return await desk.work(lambda: desk.connection.execute(query, values).fetchall())

    @asynccontextmanager
    async def _desk(self) -> AsyncGenerator[_Desk]:
        desk = _Desk(self.path)
        try:
            yield desk
        finally:
            with CancelScope(shield=True):
                await desk.close()


@dataclass
class _Entry:
    """What one run writes at once."""

    rows: list[tuple[str, int, str, bytes]]
    blobs: list[tuple[str, bytes]]
    refused: bool = False
    """Whether somebody else has written a record of that number."""


@dataclass
class _Batch:
    """What goes into one commit."""

    entries: list[_Entry] = field(default_factory=list[_Entry])
    error: JournalError | None = None


class _Desk:
    """One connection, for the runs of one event loop."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._turn = Lock()
        self._next = _Batch()

    @property
    def connection(self) -> sqlite3.Connection:
        """The connection, made at its first use; only for the thread that has the turn."""
        if self._connection is None:
            self._connection = _connect(self._path)
        return self._connection

    async def write(self, entry: _Entry) -> None:
        """Commit an entry, together with all that came while the last commit was under way."""
        batch = self._next
        batch.entries.append(entry)
        async with self._turn:
            if batch is self._next:  # nobody has committed it yet
                self._next = _Batch()
                try:
                    await self._in_thread(
                        lambda: _commit(self.connection, self._path, batch.entries)
                    )
                except JournalError as error:
                    batch.error = error
        if batch.error is not None:
            raise batch.error

    async def work(self, what: Callable[[], T]) -> T:
        """Do something with the connection, in turn."""
        async with self._turn:
            return await self._in_thread(what)

    async def close(self) -> None:
        """Close the connection, if there is one."""
        async with self._turn:
            if self._connection is not None:
                await self._in_thread(self._connection.close)
                self._connection = None

    async def _in_thread(self, what: Callable[[], T]) -> T:
        # Shielded: a commit that has begun is carried through, and others may wait for it. It has a
        # deadline of its own, BUSY_S.
        done: list[T] = []
        try:
            with CancelScope(shield=True):
                done.append(await to_thread.run_sync(what))
        except (sqlite3.Error, OSError) as error:
            raise JournalError(f"the journal {self._path} cannot be used: {error}") from error
        return done[0]


def _connect(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Each use has the turn, so the threads that take turns may share the connection.
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
            f"{path} is a journal of format {version}, and this ossia knows formats 1 to {_FORMAT}:"
            " update ossia, or name another file"
        )
    return int(version) or None


def _commit(connection: sqlite3.Connection, path: Path, entries: Sequence[_Entry]) -> None:
    # IMMEDIATE: a transaction that reads first and then finds another writer cannot wait for it.
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
        # Numbers have no gaps: the first row is the one that is there, and none was inserted.
        entry.refused = True
        return
    cursor.executemany("INSERT OR IGNORE INTO blobs VALUES (?, ?)", entry.blobs)

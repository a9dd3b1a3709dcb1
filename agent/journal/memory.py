"""A journal in this process's memory: for tests, and for replaying what has just happened."""

from __future__ import annotations

from collections.abc import Sequence

from .protocol import RunSummary, digest_of, missing_blob, run_not_found, summary_of, taken_run
from .records import Record, TurnSampled


class MemoryJournal:
    """Keeps what it is told until it is dropped; nothing survives the process."""

    def __init__(self) -> None:
        self._runs: dict[str, list[Record]] = {}
        self._blobs: dict[str, bytes] = {}

    async def append(
        self, run_id: str, number: int, records: Sequence[Record], blobs: Sequence[bytes] = ()
    ) -> None:
        """Add records to a run; see `Journal.append`."""
        kept = self._runs.setdefault(run_id, [])
        if number != len(kept):
            raise taken_run(run_id)
        kept.extend(records)
        self._blobs.update((digest_of(data), data) for data in blobs)

    async def read(self, run_id: str) -> list[Record]:
        """Return all records of a run, in order; see `Journal.read`."""
        if run_id not in self._runs:
            raise run_not_found(run_id, [*self._runs][::-1])
        return list(self._runs[run_id])

    async def blob(self, digest: str) -> bytes:
        """Return a content by its digest; see `Journal.blob`."""
        if digest not in self._blobs:
            raise missing_blob(digest)
        return self._blobs[digest]

    async def runs(self) -> list[RunSummary]:
        """Return the runs, the newest first."""
        return [
            summary_of(
                run_id, records, steps=sum(isinstance(record, TurnSampled) for record in records)
            )
            for run_id, records in reversed(self._runs.items())
        ]

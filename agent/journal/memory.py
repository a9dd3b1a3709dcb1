"""A journal in memory, for tests and for replaying a run of the same process."""

from __future__ import annotations

from collections.abc import Sequence

from .protocol import (
    RunSummary,
    blob_not_found,
    digest_of,
    run_not_found,
    run_taken_over,
    summarize_run,
)
from .records import Record, TurnSampled


class MemoryJournal:
    """A journal that lasts as long as the object."""

    def __init__(self) -> None:
        self._runs: dict[str, list[Record]] = {}
        self._blobs: dict[str, bytes] = {}

    async def append(
        self, run_id: str, number: int, records: Sequence[Record], blobs: Sequence[bytes] = ()
    ) -> None:
        """Add records to a run; see `Journal.append`."""
        if number != len(self._runs.get(run_id, ())):
            raise run_taken_over(run_id)
        self._runs.setdefault(run_id, []).extend(records)
        self._blobs.update((digest_of(data), data) for data in blobs)

    async def read(self, run_id: str) -> list[Record]:
        """Return all records of a run, in order; see `Journal.read`."""
        if run_id not in self._runs:
            raise run_not_found(run_id, [*self._runs][::-1])
        return list(self._runs[run_id])

    async def blob(self, digest: str) -> bytes:
        """Return a blob by its digest; see `Journal.blob`."""
        if digest not in self._blobs:
            raise blob_not_found(digest)
        return self._blobs[digest]

    async def runs(self) -> list[RunSummary]:
        """Return a summary of each run, newest first."""
        return [
            summarize_run(
                run_id, records, steps=sum(isinstance(record, TurnSampled) for record in records)
            )
            for run_id, records in reversed(self._runs.items())
        ]

"""The seam between a run and wherever its records are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any, Literal, Protocol

from ...errors import JournalError, RunNotFoundError
from .records import OutputAccepted, Record, RunFailed, RunOpened, UserMessageAdded


class Journal(Protocol):
    """Keeps the records of runs, each under its number.

    A journal that is also an async context manager is entered once per run, and may keep its
    connection open for as long.
    """

    async def append(
        self, run_id: str, number: int, records: Sequence[Record], blobs: Sequence[bytes] = ()
    ) -> None:
        """Add records to a run; they are durable, all of them or none, when this returns.

        number: of the first record, counted from 0 within the run.
        blobs: contents that the records name by `digest_of`.

        Raises JournalError if the run has a record of that number: another process goes on with it.
        """
        ...

    async def read(self, run_id: str) -> list[Record]:
        """Return all records of a run, in order.

        Raises RunNotFoundError if there are none, JournalError if they cannot be read.
        """
        ...

    async def blob(self, digest: str) -> bytes:
        """Return a content by its digest. Raises JournalError if it is not here."""
        ...

    async def runs(self) -> list[RunSummary]:
        """Return the runs, the newest first."""
        ...


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A run, as a list of runs shows it."""

    run_id: str
    started_at: datetime
    task: str
    """What the user asked, the last time."""
    status: Literal["answered", "failed", "unfinished"]
    """`unfinished`: a process works on it, or was killed at it."""
    steps: int
    seconds: float
    failure: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])


def digest_of(data: bytes) -> str:
    """The name of a content."""
    return sha256(data).hexdigest()


def summary_of(run_id: str, records: Sequence[Record], *, steps: int) -> RunSummary:
    """What a list of runs says of one.

    records: at the least, the first one, those of what the model was told, and the last one.
    """
    opened, last = records[0], records[-1]
    assert isinstance(opened, RunOpened), "a run's first record opens it"
    asked = [message for message in opened.messages if message.role == "user"]
    asked += [
        one.message for one in records if isinstance(one, UserMessageAdded) and one.origin == "user"
    ]
    failed = last if isinstance(last, RunFailed) else None
    answered = isinstance(last, OutputAccepted)
    return RunSummary(
        run_id=run_id,
        started_at=opened.started_at,
        task=asked[-1].text if asked else "",
        status="answered" if answered else "failed" if failed else "unfinished",
        steps=steps,
        seconds=last.at_s,
        failure=f"{failed.error_type}: {failed.text}" if failed else None,
        metadata=opened.metadata,
    )


def run_not_found(run_id: str, known: Sequence[str]) -> RunNotFoundError:
    """Return the error for a run id that the journal does not have.

    known: run ids in the journal, the latest first.
    """
    latest = ", ".join(known[:5]) or "none"
    text = f"no run {run_id!r} in the journal; latest runs: {latest}"
    return RunNotFoundError(text, run_id=run_id)


def taken_run(run_id: str) -> JournalError:
    """Somebody else writes this run."""
    return JournalError(
        f"another process goes on with the run {run_id}: this one ends here. To have both, fork "
        "the run",
        run_id=run_id,
    )


def missing_blob(digest: str) -> JournalError:
    """A file's contents are not here."""
    return JournalError(f"no content {digest[:12]}… in the journal; was it copied without?")

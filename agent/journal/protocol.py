"""The interface of journals, and what all journals share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any, Literal, Protocol, runtime_checkable

from ...errors import JournalError, RunNotFoundError
from .records import OutputAccepted, Record, RunFailed, RunOpened, UserMessageAdded


@runtime_checkable
class Journal(Protocol):
    """A store for the records of runs, in which each record of a run has a number.

    A journal that is also an async context manager is entered once per run. It may keep its
    connection open for that time.
    """

    async def append(
        self, run_id: str, number: int, records: Sequence[Record], blobs: Sequence[bytes] = ()
    ) -> None:
        """Add records to a run. When this returns, all of them are durable; if it raises, none.

        number: number of the first record; the first record of a run has number 0.
        blobs: contents that the records refer to by `digest_of`.

        Raises JournalError if the run already has a record of that number, because another process
        has resumed the run.
        """
        ...

    async def read(self, run_id: str) -> list[Record]:
        """Return all records of a run, in order.

        Raises RunNotFoundError if there are none, JournalError if they cannot be read.
        """
        ...

    async def blob(self, digest: str) -> bytes:
        """Return a blob by its digest. Raises JournalError if the journal does not have it."""
        ...

    async def runs(self) -> list[RunSummary]:
        """Return a summary of each run, newest first."""
        ...


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A run as it appears in a list of runs."""

    run_id: str
    started_at: datetime
    task: str
    """The latest message of the user."""
    status: Literal["answered", "failed", "unfinished"]
    """`unfinished`: the run has no answer and no failure. A process is working on it, or it was
    cancelled, left or killed."""
    steps: int
    seconds: float
    """Seconds of work on the run, summed over all processes."""
    failure: str | None = None
    """Class and text of the exception that ended the run."""
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])


def digest_of(data: bytes) -> str:
    """Return the digest that identifies a blob."""
    return sha256(data).hexdigest()


def summarize_run(run_id: str, records: Sequence[Record], *, steps: int) -> RunSummary:
    """Return the summary of a run.

    records: at least the first record, all UserMessageAdded records, and the last record.
    """
    opened, last = records[0], records[-1]
    assert isinstance(opened, RunOpened), "the first record of a run is RunOpened"
    messages = [message for message in opened.messages if message.role == "user"]
    messages += [
        record.message
        for record in records
        if isinstance(record, UserMessageAdded) and record.origin == "user"
    ]
    failed = last if isinstance(last, RunFailed) else None
    has_output = isinstance(last, OutputAccepted)
    return RunSummary(
        run_id=run_id,
        started_at=opened.started_at,
        task=messages[-1].text if messages else "",
        status="answered" if has_output else "failed" if failed else "unfinished",
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


def run_taken_over(run_id: str) -> JournalError:
    """Return the error for a run that another process or task has resumed."""
    return JournalError(
        f"the run {run_id} was resumed elsewhere (in another process or task), so it cannot "
        "continue here. To continue in both places, fork the run",
        run_id=run_id,
    )


def blob_not_found(digest: str) -> JournalError:
    """Return the error for a blob that the journal does not have."""
    return JournalError(
        f"the journal has no blob {digest[:12]}…; was the journal copied without its blobs?"
    )

"""What happens in a run, written down: first in the journal, then in force."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import structlog

from ...errors import SandboxError
from ...harmony import Message
from ...tools import Toolbox, ToolResult
from ..journal import (
    Journal,
    Record,
    RecordedFile,
    ToolResultRecorded,
    TurnSampled,
    UserMessageAdded,
    digest_of,
)
from .meter import Meter
from .state import State
from .turn import Turn

log = structlog.get_logger()


@dataclass(frozen=True)
class RunRecorder:
    """The records of one run; the only hand that changes its state.

    What is in force is durable, if there is a journal. So a run that is taken up again does next
    what it would have done.
    """

    run_id: str
    state: State
    meter: Meter
    toolbox: Toolbox
    journal: Journal | None

    async def record(self, *records: Record, blobs: Sequence[bytes] = ()) -> None:
        """Write down what has happened. Raises JournalError if that cannot be done."""
        if self.journal is not None:
            await self.journal.append(self.run_id, self.state.count, records, blobs)
        for record in records:
            self.state.apply(record)

    async def tell(
        self, message: Message, origin: Literal["user", "rejection", "limit"], *, reason: str = ""
    ) -> None:
        """Write down what the model is told, by the user or in the user's place."""
        at_s = self.meter.seconds
        await self.record(
            UserMessageAdded(at_s=at_s, message=message, origin=origin, reason=reason)
        )

    async def take(self, turn: Turn) -> None:
        """Write down a turn of the model: all of it, and how much of it the run goes on from."""
        taken = TurnSampled(
            at_s=self.meter.seconds,
            tokens=tuple(turn.tokens),
            kept_tokens=len(turn.tokens) if turn.fault is None else turn.kept,
            recipients=tuple(turn.recipients),
            usage=turn.usage,
            discard_reason=turn.fault,
        )
        await self.record(taken)

    async def end_call(self, call: Message, answer: ToolResult, *, was_run: bool) -> Message:
        """Write down a call's answer and what it left behind; returns what the model reads."""
        files, blobs = await self._keep(answer.files)
        asked = f"{call.recipient}\0{call.text}\0{answer.message.text}"
        trace = digest_of(asked.encode())
        message = answer.message
        nudge = self.meter.nudge(trace)
        if nudge:
            message = replace(message, content=f"{message.text}\n{nudge}")
        ended = ToolResultRecorded(
            at_s=self.meter.seconds,
            message=message,
            failed=answer.failed,
            seconds=answer.seconds,
            files=files,
            state_changes={} if self.journal is None else self.toolbox.changes(),
            was_run=was_run,
            repeat_notice=nudge,
            fingerprint=trace,
        )
        await self.record(ended, blobs=blobs)
        return message

    async def fetch(self, path: str) -> bytes | None:
        """A file of the run; None if it is gone, or too large to take out."""
        try:
            return await self.meter.within(self.toolbox.read(path))
        except (SandboxError, OSError) as error:
            digest = self.state.files.get(path)
            if digest is not None and self.journal is not None:
                return await self.journal.blob(digest)
            log.warning("file_not_taken_out", run_id=self.run_id, path=path, reason=str(error))
            return None

    async def _keep(self, paths: Sequence[str]) -> tuple[tuple[RecordedFile, ...], list[bytes]]:
        """The files of a call, for the journal: a sandbox ends with its process."""
        files: dict[str, str | None] = dict.fromkeys(paths)
        blobs: list[bytes] = []
        for path in files if self.journal is not None else ():
            data = await self.fetch(path)
            if data is not None:
                blobs.append(data)
                files[path] = digest_of(data)
        return tuple(
            RecordedFile(path=path, digest=digest) for path, digest in files.items()
        ), blobs

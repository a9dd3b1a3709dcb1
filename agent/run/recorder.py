"""Journal each record before applying it to the run's state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from ...errors import SandboxError
from ...harmony import Event as ParserEvent
from ...harmony import Message
from ...sandbox import get_logger
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
from .state import RunState
from .turn import Turn

log = get_logger("ossia.agent")


class RunRecorder:
    """Writes the records of one run; nothing else changes the run's state.

    If there is a journal, every record is durable before it is applied. So a resumed run continues
    exactly where it stopped.
    """

    def __init__(
        self,
        run_id: str,
        state: RunState,
        meter: Meter,
        toolbox: Toolbox,
        journal: Journal | None,
    ) -> None:
        self.run_id = run_id
        self.state = state
        self.meter = meter
        self.toolbox = toolbox
        self.journal = journal

    async def record(
        self,
        *records: Record,
        blobs: Sequence[bytes] = (),
        events: Sequence[ParserEvent] | None = None,
    ) -> None:
        """Journal records and apply them. Raises JournalError if they cannot be written.

        events: for a single turn, what the parser reported while it was sampled.
        """
        if self.journal is not None:
            await self.journal.append(self.run_id, self.state.count, records, blobs)
        for record in records:
            self.state.apply(record, events)

    async def record_user_message(
        self, message: Message, origin: Literal["user", "rejection", "limit"], *, reason: str = ""
    ) -> None:
        """Record a message from the user, or one that the loop sends in the user's place."""
        at_s = self.meter.seconds
        await self.record(
            UserMessageAdded(at_s=at_s, message=message, origin=origin, reason=reason)
        )

    async def record_turn(self, turn: Turn) -> None:
        """Record a turn: all of its tokens, and how many of them the run continues from."""
        kept_tokens, events = len(turn.tokens), turn.events
        if turn.fault is not None:
            kept_tokens = turn.kept_tokens
            events = [event for event in events if event.at < kept_tokens]
        sampled = TurnSampled(
            at_s=self.meter.seconds,
            tokens=tuple(turn.tokens),
            kept_tokens=kept_tokens,
            recipients=tuple(turn.recipients),
            usage=turn.usage,
            discard_reason=turn.fault,
            dropped=turn.dropped,
        )
        await self.record(sampled, events=events)

    async def record_tool_result(
        self, call: Message, result: ToolResult, *, was_run: bool
    ) -> Message:
        """Record the result of a tool call with the files it wrote; return what the model reads."""
        files, blobs = await self._read_files(result.files)
        message = result.message
        fingerprint = digest_of(f"{call.recipient}\0{call.text}\0{message.text}".encode())
        notice = self.meter.repeat_notice(fingerprint)
        if notice:
            message = replace(message, content=f"{message.text}\n{notice}")
        recorded = ToolResultRecorded(
            at_s=self.meter.seconds,
            message=message,
            failed=result.failed,
            seconds=result.seconds,
            files=files,
            state_changes={} if self.journal is None else self.toolbox.changes(),
            was_run=was_run,
            error_type="" if result.bug is None else type(result.bug).__name__,
            repeat_notice=notice,
            fingerprint=fingerprint,
        )
        await self.record(recorded, blobs=blobs)
        return message

    async def read_file(self, path: str) -> bytes | None:
        """Return the contents of a file of the run; None if it is gone or too large."""
        try:
            with self.meter.with_deadline():
                return await self.toolbox.read(path)
        except (SandboxError, OSError) as error:
            digest = self.state.position.files.get(path)
            if digest is not None and self.journal is not None:
                return await self.journal.blob(digest)
            log.warning(
                "file_unreadable", run_id=self.run_id, path=path, error=type(error).__name__
            )
            return None

    async def _read_files(
        self, paths: Sequence[str]
    ) -> tuple[tuple[RecordedFile, ...], list[bytes]]:
        """Read the files of a call for the journal, because the sandbox ends with its process."""
        digests: dict[str, str | None] = dict.fromkeys(paths)
        blobs: list[bytes] = []
        for path in digests if self.journal is not None else ():
            data = await self.read_file(path)
            if data is not None:
                blobs.append(data)
                digests[path] = digest_of(data)
        files = tuple(RecordedFile(path=path, digest=digest) for path, digest in digests.items())
        return files, blobs

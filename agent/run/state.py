"""Where a run stands: what follows from its records, and from nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from ...harmony import Message, Transcript
from ..context import READ_TOOL_RESULT, ReadTool, replacements_in_prompt
from ..journal import (
    ContextTrimmed,
    OutputAccepted,
    Record,
    RunFailed,
    RunOpened,
    RunResumed,
    ToolResultRecorded,
    TurnSampled,
    UserMessageAdded,
)
from ..usage import Usage


class State:
    """A run's records, added up.

    The loop changes it by `apply` alone, so that a run that was read back from its journal stands
    exactly where the run stood that wrote it.
    """

    def __init__(self, records: Iterable[Record] = ()) -> None:
        self.transcript = Transcript()
        """Everything that was said."""
        self.shown = self.transcript
        """What the model is shown of it; the same, until the context had to be trimmed."""
        self.usage = Usage()
        self.step_usage = Usage()
        """Of the last turn, and its call."""
        self.spent = Usage()
        """Since the user last spoke: what limits count."""
        self.asked_s = 0.0
        """When the user last spoke."""
        self.seconds = 0.0
        """Worked on by all processes together, up to the last record."""
        self.call: Message | None = None
        """The model's call that no answer is known to."""
        self.final: Message | None = None
        """The model's answer that nobody has judged."""
        self.answer: Message | None = None
        """The answer, once it was found to be of the asked type."""
        self.limit: str | None = None
        """The limit that asked for an answer, if one did."""
        self.faults: list[str] = []
        """Why answers were rejected, since the user last spoke."""
        self.discarded = 0
        """How many turns in a row led nowhere."""
        self.calls: Counter[str] = Counter()
        """How often each tool was run."""
        self.files: dict[str, str | None] = {}
        """Path and digest of what the tools wrote, in the order of first writing."""
        self.changes: dict[str, list[Any]] = {}
        """By namespace, all that has changed in a tool's state."""
        self.seen: set[str] = set()
        """Calls with their answers, as `ToolResultRecorded.fingerprint` has them."""
        self.stale = 0
        """How many calls in a row have brought nothing new."""
        self.opening: tuple[Message, ...] = ()
        self.replaced: dict[int, Message | None] = {}
        """By a message's index, what a policy put in its place."""
        self.shown_for: dict[int, tuple[Message, ...]] = {}
        """By a message's index, all that is shown in its place."""
        self.has_left_out_results = False
        """Whether the prompt leaves out any tool result."""
        self.read_tool: ReadTool = READ_TOOL_RESULT
        """Name of the function by which the model reads tool results that were left out."""
        self.count = 0
        """How many records there are."""
        for record in records:
            self.apply(record)

    def apply(self, record: Record) -> None:
        """Take in the next record."""
        self.count += 1
        self.seconds = record.at_s
        match record:
            case RunOpened():
                self.opening = record.messages
                for message in record.messages:
                    self._tell(message)
            case TurnSampled():
                self._take(record)
            case ToolResultRecorded():
                self._end_call(record)
            case UserMessageAdded():
                self._listen(record)
            case OutputAccepted():
                self.answer, self.final = self.final, None
            case ContextTrimmed():
                self._use(record.usage)
                self.replaced |= record.replacements
                self.read_tool = record.read_tool
                self._show()
            case RunResumed() | RunFailed():
                pass

    @property
    def tool_results(self) -> list[Message]:
        """All tool results, also those that are left out of the prompt."""
        return [message for message in self.transcript.messages if message.role == "tool"]

    def _show(self) -> None:
        messages = self.transcript.messages
        self.has_left_out_results = any(messages[at].role == "tool" for at in self.replaced)
        read_tool = self.read_tool if self.has_left_out_results else None
        self.shown_for = replacements_in_prompt(self.opening, self.replaced, read_tool=read_tool)
        self.shown = self.transcript.replaced(self.shown_for)

    def _take(self, turn: TurnSampled) -> None:
        kept = turn.tokens[: turn.kept_tokens]
        said = self.transcript.append_sampled(kept, recipients=turn.recipients)
        if self.shown is not self.transcript:
            self.shown.append_sampled(kept, recipients=turn.recipients)
        self._use(turn.usage)
        self.step_usage = turn.usage
        if turn.discard_reason is not None:
            self.discarded += 1
            return
        self.discarded = 0
        # A turn is over with its first call or answer, so that is its last message.
        if said[-1].recipient is not None:
            self.call = said[-1]
        else:
            self.final = said[-1]

    def _use(self, usage: Usage) -> None:
        self.usage += usage
        self.spent += usage

    def _end_call(self, ended: ToolResultRecorded) -> None:
        self._tell(ended.message)
        self.call = None
        if ended.was_run:
            self.calls[ended.message.name or ""] += 1
            used = Usage(tool_calls=1, tool_s=ended.seconds)
            self._use(used)
            self.step_usage += used
        self.files |= {file.path: file.digest for file in ended.files}
        for name, change in ended.state_changes.items():
            self.changes.setdefault(name, []).append(change)
        self.stale = self.stale + 1 if ended.fingerprint in self.seen else 0
        self.seen.add(ended.fingerprint)

    def _listen(self, told: UserMessageAdded) -> None:
        self._tell(told.message)
        self.final = None
        if told.origin == "rejection":
            self.faults.append(told.reason)
        elif told.origin == "limit":
            self.limit = told.reason
        else:
            self.answer, self.limit, self.faults = None, None, []
            self.discarded = self.stale = 0
            self.spent, self.asked_s = Usage(), told.at_s
            self.calls.clear()
            self.seen.clear()

    def _tell(self, message: Message) -> None:
        self.transcript.append(message)
        if self.shown is not self.transcript:
            self.shown.append(message)

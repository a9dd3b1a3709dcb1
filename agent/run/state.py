"""The state of a run: its journal records, added up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...harmony import Event as ParserEvent
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


@dataclass
class Conversation:
    """What was said, and what the model is shown of it."""

    transcript: Transcript = field(default_factory=Transcript)
    """The whole run."""
    prompt_transcript: Transcript = field(default_factory=Transcript)
    """What the model is shown: the same object, until the context has to be trimmed."""
    opening: tuple[Message, ...] = ()
    """The system and developer messages and the task."""
    replaced: dict[int, Message | None] = field(default_factory=dict[int, Message | None])
    """By message index, what the context policy shows instead; None leaves the message out."""
    shown: dict[int, tuple[Message, ...]] = field(default_factory=dict[int, tuple[Message, ...]])
    """By message index, everything that is shown instead."""
    has_left_out_results: bool = False
    """Whether the prompt leaves out any tool result."""
    read_tool: ReadTool = READ_TOOL_RESULT
    """Name of the function by which the model reads tool results that were left out."""

    def __post_init__(self) -> None:
        self.prompt_transcript = self.transcript

    @property
    def is_trimmed(self) -> bool:
        """Whether the model is shown something else than the transcript."""
        return self.prompt_transcript is not self.transcript

    @property
    def tool_results(self) -> list[Message]:
        """All tool results, whether the model is shown them or not."""
        return [message for message in self.transcript.messages if message.role == "tool"]

    def append(self, message: Message) -> None:
        """Add a message that the model did not write."""
        self.transcript.append(message)
        if self.is_trimmed:
            self.prompt_transcript.append(message)

    def append_turn(self, turn: TurnSampled, events: Sequence[ParserEvent] | None) -> list[Message]:
        """Add the part of a turn that the run continues from, and return its messages.

        events: what the parser reported while the turn was sampled; None parses it again.
        """
        tokens = turn.tokens[: turn.kept_tokens]
        messages = self.transcript.append_sampled(tokens, recipients=turn.recipients, events=events)
        if self.is_trimmed:
            self.prompt_transcript.append_sampled(tokens, recipients=turn.recipients, events=events)
        return messages

    def trim(self, record: ContextTrimmed) -> None:
        """Show the model other messages in place of some."""
        self.replaced |= record.replacements
        self.read_tool = record.read_tool
        messages = self.transcript.messages
        self.has_left_out_results = any(messages[at].role == "tool" for at in self.replaced)
        read_tool = self.read_tool if self.has_left_out_results else None
        self.shown = replacements_in_prompt(self.opening, self.replaced, read_tool=read_tool)
        self.prompt_transcript = self.transcript.replace(self.shown)


@dataclass
class Position:
    """Where the loop stands, and what it does next."""

    pending_call: Message | None = None
    """The tool call that is awaiting its result."""
    candidate: Message | None = None
    """The final message that has not been validated."""
    answer: Message | None = None
    """The final message, once its output was accepted."""
    limit: str | None = None
    """The limit that forced an answer, if one did."""
    faults: list[str] = field(default_factory=list[str])
    """Why answers were rejected, since the last user message."""
    discarded: int = 0
    """How many turns in a row were discarded."""
    files: dict[str, str | None] = field(default_factory=dict[str, str | None])
    """Path and digest of the files that tools wrote, in the order of their first writing."""
    tool_changes: dict[str, list[Any]] = field(default_factory=dict[str, list[Any]])
    """By namespace, all changes of a tool's state."""


@dataclass
class Spending:
    """What the run has used, and what its limits count."""

    usage: Usage = field(default_factory=Usage)
    """The whole run."""
    step_usage: Usage = field(default_factory=Usage)
    """The last turn and its tool call."""
    counted: Usage = field(default_factory=Usage)
    """Since the last user message: what limits count."""
    seconds: float = 0.0
    """Seconds that all processes together worked on the run, up to the last record."""
    asked_s: float = 0.0
    """`seconds` at the last user message."""
    calls: Counter[str] = field(default_factory=Counter[str])
    """How often each tool ran."""
    fingerprints: set[str] = field(default_factory=set[str])
    """Digests of calls with their results."""
    repeats: int = 0
    """How many calls in a row repeated an earlier call and its result."""

    def add(self, usage: Usage) -> None:
        """Add to the run and to what limits count."""
        self.usage += usage
        self.counted += usage

    def add_call(self, record: ToolResultRecorded) -> None:
        """Count one tool call."""
        if record.was_run:
            self.calls[record.message.name or ""] += 1
            used = Usage(tool_calls=1, tool_s=record.seconds)
            self.add(used)
            self.step_usage += used
        repeated = record.fingerprint in self.fingerprints
        self.repeats = self.repeats + 1 if repeated else 0
        self.fingerprints.add(record.fingerprint)

    def restart(self, at_s: float) -> None:
        """Count from zero, because the user has sent a message."""
        self.counted, self.asked_s, self.repeats = Usage(), at_s, 0
        self.calls.clear()
        self.fingerprints.clear()


class RunState:
    """The records of a run, added up.

    It changes through `apply` alone. So a run that is read from its journal continues exactly where
    the run that wrote the journal stopped.
    """

    def __init__(self, records: Iterable[Record] = ()) -> None:
        self.conversation = Conversation()
        self.position = Position()
        self.spending = Spending()
        self.count = 0
        """Number of records."""
        self.warnings: list[str] = []
        """What the user should know about the run, although it did not fail."""
        for record in records:
            self.apply(record)

    def apply(self, record: Record, events: Sequence[ParserEvent] | None = None) -> None:
        """Apply the next record.

        events: for a turn, what the parser reported while it was sampled; None parses it again.
        """
        self.count += 1
        self.spending.seconds = record.at_s
        match record:
            case RunOpened():
                self.conversation.opening = record.messages
                self.conversation.transcript.extend(record.messages)
            case TurnSampled():
                self._apply_turn(record, events)
            case ToolResultRecorded():
                self._apply_tool_result(record)
            case UserMessageAdded():
                self._apply_user_message(record)
            case OutputAccepted():
                self.position.answer, self.position.candidate = self.position.candidate, None
            case ContextTrimmed():
                self.spending.add(record.usage)
                self.conversation.trim(record)
            case RunResumed() | RunFailed():
                pass

    def _apply_turn(self, turn: TurnSampled, events: Sequence[ParserEvent] | None) -> None:
        messages = self.conversation.append_turn(turn, events)
        self.spending.add(turn.usage)
        self.spending.step_usage = turn.usage
        if turn.dropped:
            self.warnings.append(
                f"step {self.spending.usage.steps}: only the first tool call of the turn ran; the "
                f"model also wrote calls to {', '.join(turn.dropped)}"
            )
        if turn.discard_reason is not None:
            self.position.discarded += 1
            return
        self.position.discarded = 0
        # A turn ends at its first tool call or answer, so that is its last message.
        if messages[-1].recipient is not None:
            self.position.pending_call = messages[-1]
        else:
            self.position.candidate = messages[-1]

    def _apply_tool_result(self, record: ToolResultRecorded) -> None:
        if record.error_type:
            warning = (
                f"{record.message.name} raised {record.error_type}, which the model did not read; "
                'Agent(on_tool_error="raise") shows where'
            )
            if warning not in self.warnings:
                self.warnings.append(warning)
        self.conversation.append(record.message)
        self.position.pending_call = None
        self.spending.add_call(record)
        self.position.files |= {file.path: file.digest for file in record.files}
        for name, change in record.state_changes.items():
            self.position.tool_changes.setdefault(name, []).append(change)

    def _apply_user_message(self, record: UserMessageAdded) -> None:
        self.conversation.append(record.message)
        position = self.position
        position.candidate = None
        if record.origin == "rejection":
            position.faults.append(record.reason)
        elif record.origin == "limit":
            position.limit = record.reason
        else:
            position.answer, position.limit, position.faults = None, None, []
            position.discarded = 0
            self.spending.restart(record.at_s)

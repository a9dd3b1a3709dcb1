"""Records of what happened in a run.

The records are the whole run: read in order, they give the state in which the run stopped.
They contain everything, including reasoning and tool results. Protect a journal accordingly.

Stored names are a file format. `from_json` also reads the names that earlier versions wrote;
`to_json` writes only the current ones. A version that does not know a record's kind refuses to
read it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    TypeAdapter,
    ValidationError,
)
from pydantic_core import PydanticSerializationError

from ...errors import JournalError
from ...harmony import Message
from ...harmony.format import encodable
from ..context import READ_TOOL_RESULT, ReadTool
from ..usage import Usage
from .upgrade import upgrade


def _message(value: Any) -> Message:
    return value if isinstance(value, Message) else Message.from_dict(value)


MessageField = Annotated[Message, PlainValidator(_message), PlainSerializer(Message.to_dict)]
"""A message, stored as JSON in the form that openai-harmony uses."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True)

    at_s: float = 0.0
    """Seconds of work on the run so far, summed over all processes."""


class RunOpened(_Record):
    """The start of a run: the system and developer messages, then the task."""

    kind: Literal["run_opened"] = "run_opened"
    messages: tuple[MessageField, ...]
    started_at: datetime
    """In UTC."""
    metadata: dict[str, Any] = {}
    """The caller's own data about the run. The command line stores its options here."""
    forked_from: str | None = None
    """The run that this run was forked from."""


class RunResumed(_Record):
    """A process resumed the run. The process that worked on it before can no longer write to it."""

    kind: Literal["run_resumed"] = "run_resumed"


class TurnSampled(_Record):
    """A turn of the model.

    If the turn ends in a tool call, the tool starts next. Until its result is recorded, the call
    may have run partially.
    """

    kind: Literal["turn_sampled"] = "turn_sampled"
    tokens: tuple[int, ...]
    """The sampled tokens, unchanged, up to the end of the tool call or the answer."""
    kept_tokens: int
    """Number of leading tokens that the run keeps; less than all if the turn was discarded."""
    recipients: tuple[str, ...]
    """Recipients that a call could name; the parser uses them to read malformed headers."""
    usage: Usage
    discard_reason: str | None = None
    """Why the turn is sampled again; None if it ended in a tool call or an answer."""
    dropped: tuple[str, ...] = ()
    """The recipients of further calls in the turn, which do not run and are not in `tokens`."""


class RecordedFile(BaseModel):
    """A file that a tool call wrote."""

    model_config = ConfigDict(frozen=True)

    path: str
    """The path that the model uses."""
    digest: str | None
    """SHA-256 of the contents, which the journal stores as a blob; None if it does not."""


class ToolResultRecorded(_Record):
    """The result of a tool call, from the tool or from the loop."""

    kind: Literal["tool_result_recorded"] = "tool_result_recorded"
    message: MessageField
    failed: bool
    seconds: float
    files: tuple[RecordedFile, ...] = ()
    state_changes: dict[str, Any] = {}
    """Changes to the tools' states, by namespace."""
    was_run: bool = True
    """Whether the tool was run."""
    error_type: str = ""
    """The class of the exception if the tool has a bug: one that is not a ToolError."""
    repeat_notice: str = ""
    """The loop's notice about repeated calls: the last line of the message, if there is one."""
    fingerprint: str = ""
    """Digest of the call and its result. An equal fingerprint means that nothing new was found."""


class UserMessageAdded(_Record):
    """A user message, from the user or from the loop."""

    kind: Literal["user_message_added"] = "user_message_added"
    message: MessageField
    origin: Literal["user", "rejection", "limit"]
    """Who wrote the message: the user, or the loop because it rejected the output or because the
    run reached a limit and the model must answer."""
    reason: str = ""
    """Why the output was rejected, or which field of `Limits` was reached."""


class OutputAccepted(_Record):
    """The answer is valid for the output type."""

    kind: Literal["output_accepted"] = "output_accepted"


class ContextTrimmed(_Record):
    """From here on, the prompt has other messages in place of some of the run's messages."""

    kind: Literal["context_trimmed"] = "context_trimmed"
    replacements: dict[int, MessageField | None]
    """Replacement by index of the message in the run; None removes the message."""
    read_tool: ReadTool = READ_TOOL_RESULT
    """Name of the function that reads tool results that were left out."""
    usage: Usage = Usage()
    """Usage of the model to write the replacements."""


class RunFailed(_Record):
    """The run ended without an output. It can still be resumed."""

    kind: Literal["run_failed"] = "run_failed"
    error_type: str
    """Class name of the exception."""
    text: str


Record = Annotated[
    RunOpened
    | RunResumed
    | TurnSampled
    | ToolResultRecorded
    | UserMessageAdded
    | OutputAccepted
    | ContextTrimmed
    | RunFailed,
    Field(discriminator="kind"),
]
"""One thing that happened in a run."""

_records: TypeAdapter[Record] = TypeAdapter(Record)


def to_json(record: Record) -> bytes:
    """Return a record as one line of JSON; a lone surrogate becomes U+FFFD."""
    try:
        return _records.dump_json(record)
    except PydanticSerializationError:
        # The messages have none. Metadata or a tool's state may have one.
        fields = _records.dump_python(record, mode="python")
        return _records.dump_json(_records.validate_python(encodable(fields)))


def from_json(line: bytes | str) -> Record:
    """Return the record that `to_json` wrote, in this version of ossia or an earlier one.

    Raises JournalError if it is not a record of a known kind.
    """
    try:
        return _records.validate_python(upgrade(line))
    except ValidationError as error:
        # Without the input: it contains the run's messages.
        details = "; ".join(fault["msg"] for fault in error.errors(include_input=False))
    except ValueError as error:
        details = str(error)
    raise JournalError(
        f"a record cannot be read: {details}. It was written by a later version of ossia, or it is "
        "damaged"
    )

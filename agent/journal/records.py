"""What happened in a run, as far as its course depends on it.

A run is these records and nothing else: whoever reads them in order stands where the run stood.
They hold the whole run, reasoning and tool outputs included; treat a journal as you treat those.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, PlainValidator, TypeAdapter

from ...harmony import Message
from ..usage import Usage


def _message(value: Any) -> Message:
    return value if isinstance(value, Message) else Message.from_dict(value)


MessageField = Annotated[Message, PlainValidator(_message), PlainSerializer(Message.to_dict)]
"""A message, in JSON as openai-harmony writes it."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True)

    at_s: float = 0.0
    """Seconds that the run has been worked on, all processes together."""


class RunOpened(_Record):
    """The run begins: the system and developer messages, then the task."""

    kind: Literal["run_opened"] = "run_opened"
    messages: tuple[MessageField, ...]
    began: datetime
    """In UTC."""
    about: dict[str, Any] = {}
    """What whoever started the run wants back with it; the command line keeps its options here."""
    forked_from: str | None = None
    """The run whose records these are a copy of, up to some step."""


class RunResumed(_Record):
    """A process goes on with a run that another one began; the other can write no more."""

    kind: Literal["run_taken"] = "run_taken"


class TurnSampled(_Record):
    """The model's turn is over.

    If it ended in a call, its tool is started next: until an answer is recorded, nobody knows how
    far it got.
    """

    kind: Literal["turn_taken"] = "turn_taken"
    tokens: tuple[int, ...]
    """As sampled, all of them."""
    kept: int
    """How many of them the run goes on from; fewer than there are where the turn led nowhere."""
    recipients: tuple[str, ...]
    """Whom a call could address; they settle doubtful headers."""
    usage: Usage
    discarded: str | None = None
    """Why the turn is sampled again; None where it ended in a call or an answer."""


class KeptFile(BaseModel):
    """A file that a call wrote."""

    model_config = ConfigDict(frozen=True)

    path: str
    """Where the model knows it."""
    digest: str | None
    """SHA-256 of its contents, by which the journal has them; None: not kept."""


class ToolResultRecorded(_Record):
    """The answer to the model's call, from its tool or from the loop."""

    kind: Literal["call_ended"] = "call_ended"
    message: MessageField
    failed: bool
    seconds: float
    files: tuple[KeptFile, ...] = ()
    changes: dict[str, Any] = {}
    """What has changed in the states of tools, by namespace."""
    was_run: bool = True
    """Whether a tool was asked at all."""
    nudge: str = ""
    """What the loop has added to the answer, as its last line."""
    trace: str = ""
    """Digest of the call and its answer: the same again brings nothing new."""


class UserMessageAdded(_Record):
    """A message from the user, or from the loop in the user's place."""

    kind: Literal["model_told"] = "model_told"
    message: MessageField
    why: Literal["asked", "rejected", "limit"]
    """The user speaks; the answer was of the wrong type; a limit asks for an answer."""
    reason: str = ""
    """What was wrong with the answer; which field of `Limits` was reached."""


class OutputAccepted(_Record):
    """The model's answer is of the asked type."""

    kind: Literal["answer_taken"] = "answer_taken"


class ContextTrimmed(_Record):
    """From here on, the model is shown other messages in place of some."""

    kind: Literal["context_trimmed"] = "context_trimmed"
    shown: dict[int, MessageField | None]
    """By the index of a message of the run: what stands for it; None leaves it out."""
    usage: Usage = Usage()
    """What it cost to make them."""


class RunFailed(_Record):
    """The run ended without an answer. It can be resumed all the same."""

    kind: Literal["run_failed"] = "run_failed"
    error: str
    """The exception's class."""
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
    """A record as a line of JSON."""
    return _records.dump_json(record)


def from_json(line: bytes | str) -> Record:
    """Read what `to_json` wrote."""
    return _records.validate_json(line)

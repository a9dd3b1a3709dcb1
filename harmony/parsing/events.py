"""The events of a StreamParser."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from ..format import Header, Message

Ending = Literal["end", "call", "return"]

RepairKind = Literal[
    "missing_start",  # a header without `<|start|>` and author; the author is the assistant
    "missing_message",  # content without `<|message|>`
    "missing_end",  # content followed directly by the next header
    "wrong_end",  # a call without `<|call|>` at its end, or another message with it
    "stray_text",  # words outside any message; they become reasoning
    "stray_token",  # a control token where none is allowed; omitted
    "unknown_token",  # an id outside the vocabulary; becomes U+FFFD in content
    "spelled_out",  # a control token written as ordinary text in a header
    "flattened",  # a completion that lost its control tokens
    "cut_header",  # the stream ended inside a header, which is omitted
    "author",  # no known role, or several
    "channel",  # several channels, an unknown one, or none after `<|channel|>`
    "recipient",  # no tool, several tools, or a misspelled tool name
    "content_type",  # several content types
    "header",  # words or control tokens in an unusual order
    "imagined_author",  # a message in which the model speaks for somebody else
    "python_json",  # source code for python, wrapped in JSON
]
"""The ways in which a stream can deviate from the format."""


class Started(NamedTuple):
    """The end of a header; the content follows."""

    at: int
    """The index of the token that caused the event, counted from the first token fed."""
    header: Header


@dataclass(slots=True, unsafe_hash=True)
class Delta:
    """More content, in whole characters.

    Treat it as immutable. It is not a frozen dataclass because the parser creates one for every
    sampled token, and creating a frozen one takes three times as long.
    """

    at: Final[int]
    header: Final[Header]
    text: Final[str]


class Ended(NamedTuple):
    """The end of a message."""

    at: int
    message: Message
    end: Ending | None
    """The token that ended it; None if the stream was cut."""


class Repaired(NamedTuple):
    """A deviation from the format, and how the parser read it."""

    at: int
    kind: RepairKind
    detail: str
    """The token or the header text as it was sampled; never content."""


Event = Started | Delta | Ended | Repaired

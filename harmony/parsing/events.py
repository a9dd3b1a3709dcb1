"""What a StreamParser reports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from ..format import Header, Message

Ending = Literal["end", "call", "return"]

RepairKind = Literal[
    "missing_start",  # a header without `<|start|>` and author; the assistant's is meant
    "missing_message",  # content without `<|message|>`
    "missing_end",  # content that runs into the next header
    "wrong_end",  # a call that does not end in `<|call|>`, or the other way round
    "stray_text",  # words that belong to no message; kept as reasoning
    "stray_token",  # a control token where none can stand; left out
    "unknown_token",  # an id outside the vocabulary; U+FFFD in content
    "spelled_out",  # a control token written in ordinary letters in a header
    "flattened",  # a completion whose control tokens are gone
    "cut_header",  # the stream ended inside a header; nothing comes of it
    "author",  # no known role, or two
    "channel",  # more than one channel, or none after `<|channel|>`, or one unknown
    "recipient",  # no tool, two tools, or a tool's name written otherwise
    "content_type",  # more than one content type
    "header",  # words or control tokens in an order of their own
    "imagined_author",  # a completion that goes on in somebody else's name
    "python_json",  # source code for python, wrapped in JSON
]
"""In which way a stream deviated from the format."""


class Started(NamedTuple):
    """A header is read; the message's content follows."""

    at: int
    """Index of the token that brought it, in everything that was fed; so in every event."""
    header: Header


@dataclass(slots=True, unsafe_hash=True)
class Delta:
    """More content. No delta splits a character.

    Treat it as immutable. It is not frozen because one is made for every sampled token, and a
    frozen dataclass takes three times as long to make.
    """

    at: Final[int]
    header: Final[Header]
    text: Final[str]


class Ended(NamedTuple):
    """A message is over."""

    at: int
    message: Message
    end: Ending | None
    """How it ended; None if the stream was cut."""


class Repaired(NamedTuple):
    """The stream deviated from the format here, and was read as well as it can be."""

    at: int
    kind: RepairKind
    detail: str
    """The token, or the words of the header, as they were sampled; never content."""


Event = Started | Delta | Ended | Repaired

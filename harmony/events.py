"""What a StreamParser reports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .header import Header
from .messages import Message

Ending = Literal["end", "call", "return"]


@dataclass(frozen=True, slots=True)
class Started:
    """A header is read; the message's content follows."""

    at: int
    """Index of the token in everything that was fed; so in every event."""
    header: Header


@dataclass(frozen=True, slots=True)
class Delta:
    """More content. No delta splits a character."""

    at: int
    header: Header
    text: str


@dataclass(frozen=True, slots=True)
class Ended:
    """A message is whole."""

    at: int
    message: Message
    end: Ending | None
    """Which token ended it; None if the stream was cut."""


@dataclass(frozen=True, slots=True)
class Repaired:
    """The stream deviated from the format here, and was read as well as it can be."""

    at: int
    kind: str
    detail: str


Event = Started | Delta | Ended | Repaired

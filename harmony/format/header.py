"""The header of a message, and the rules for its fields."""

from __future__ import annotations

from typing import NamedTuple

from ...errors import MessageError
from . import special
from .messages import ROLES, Message, Role

CONSTRAIN_MARK = special.NAMES[special.CONSTRAIN]
"""The prefix of a content type that the model promises to follow: `<|constrain|>json`."""


class Header(NamedTuple):
    """The fields that come before the content of a message."""

    role: Role
    name: str | None = None
    channel: str | None = None
    recipient: str | None = None
    content_type: str | None = None

    @property
    def is_call(self) -> bool:
        """Whether this is a tool call."""
        return self.role == "assistant" and self.recipient is not None


def header_of(message: Message) -> Header:
    """Return the header of a message."""
    return Header(
        message.role, message.name, message.channel, message.recipient, message.content_type
    )


def message_of(header: Header, text: str) -> Message:
    """Return a message with this header and text."""
    role, name, channel, recipient, content_type = header
    return Message(
        role, text, name=name, channel=channel, recipient=recipient, content_type=content_type
    )


def check_header(header: Header) -> None:
    """Raise MessageError if a field would break the rendered header.

    Names come from users, tools and models. A name must not add words to the header or look like
    a role.
    """
    if header.role == "tool":
        if header.name is None:
            raise MessageError("a tool message needs the tool's name, such as functions.search")
        if header.name.partition(":")[0] in ROLES:
            raise MessageError(
                f"a tool cannot be named {header.name!r}: the model would read it as a role"
            )
    _check_word("name", header.name)
    _check_word("channel", header.channel)
    _check_word("recipient", header.recipient)
    content_type = header.content_type
    if content_type != CONSTRAIN_MARK:
        _check_word("content_type", content_type and content_type.removeprefix(CONSTRAIN_MARK))


def _check_word(field: str, word: str | None) -> None:
    if word is None:
        return
    is_word = bool(word) and word.isprintable() and " " not in word
    if not is_word or "<|" in word or word.startswith("to="):
        raise MessageError(
            f"{field} {word!r} would break the message header; use a single word "
            "without whitespace, control characters, `<|` or a leading `to=`"
        )

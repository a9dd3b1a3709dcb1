"""The header of a message: its fields, and their limits."""

from __future__ import annotations

from typing import NamedTuple

from ...errors import MessageError
from . import special
from .messages import ROLES, Message, Role

CONSTRAIN_MARK = special.NAMES[special.CONSTRAIN]
"""How a content type begins that the model promises to keep to: `<|constrain|>json`."""


class Header(NamedTuple):
    """Everything that a message says about itself before its content."""

    role: Role
    name: str | None = None
    channel: str | None = None
    recipient: str | None = None
    content_type: str | None = None

    @property
    def is_call(self) -> bool:
        """Whether the assistant asks a tool."""
        return self.role == "assistant" and self.recipient is not None


def header_of(message: Message) -> Header:
    """The header of a message."""
    return Header(
        message.role, message.name, message.channel, message.recipient, message.content_type
    )


def message_of(header: Header, text: str) -> Message:
    """The message with that header and content."""
    role, name, channel, recipient, content_type = header
    return Message(
        role, text, name=name, channel=channel, recipient=recipient, content_type=content_type
    )


def check(header: Header) -> None:
    """Raise MessageError if a field would break the header that it stands in.

    Names come from users, tools and models: none may add a word to a header, or pass for a role.
    """
    if header.role == "tool":
        if header.name is None:
            raise MessageError("a tool's message needs the tool's name, functions.search say")
        if header.name.partition(":")[0] in ROLES:
            raise MessageError(
                f"a tool cannot be named {header.name!r}: the model would read it as a role"
            )
    _check_word("name", header.name)
    _check_word("channel", header.channel)
    _check_word("recipient", header.recipient)
    kind = header.content_type
    if kind != CONSTRAIN_MARK:
        _check_word("content_type", kind and kind.removeprefix(CONSTRAIN_MARK))


def _check_word(field: str, word: str | None) -> None:
    if word is None:
        return
    one_word = bool(word) and word.isprintable() and " " not in word
    if not one_word or "<|" in word or word.startswith("to="):
        raise MessageError(
            f"{field} {word!r} would break the message's header; give one word "
            "without white space, control characters, `<|` or a leading `to=`"
        )

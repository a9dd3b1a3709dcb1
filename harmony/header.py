"""The header of a message: its fields, their limits, and their tokens."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from ..errors import MessageError
from . import special
from .messages import ROLES, Role
from .vocabulary import encode

CONSTRAIN_MARK = special.name(special.CONSTRAIN)


@dataclass(frozen=True, slots=True)
class Header:
    """Everything that a message says about itself before its content."""

    role: Role
    name: str | None = None
    channel: str | None = None
    recipient: str | None = None
    content_type: str | None = None


@lru_cache(maxsize=4096)
def header_tokens(header: Header) -> tuple[int, ...]:
    """The header from `<|start|>` to `<|message|>`, exactly as openai-harmony encodes it.

    Raises MessageError if a field would not survive the way to the model and back.
    """
    check(header)
    author = header.role if header.name is None else f"{header.role}:{header.name}"
    if header.role == "tool":
        author = header.name or ""
    out = [special.START, *encode(author)]
    if header.recipient not in {None, "all"}:
        out += encode(f" to={header.recipient}")
    if header.channel is not None:
        out += [special.CHANNEL, *encode(header.channel)]
    kind = header.content_type
    if kind is not None and kind.startswith(CONSTRAIN_MARK):
        out += [*encode(" "), special.CONSTRAIN, *encode(kind.removeprefix(CONSTRAIN_MARK))]
    elif kind is not None:
        out += encode(f" {kind}")
    return (*out, special.MESSAGE)


def check(header: Header) -> None:
    """Raise MessageError if a field would break the header that it stands in."""
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
    _check_word("content_type", kind if kind is None else kind.removeprefix(CONSTRAIN_MARK))


def _check_word(field: str, word: str | None) -> None:
    if word is None:
        return
    if not word or word.startswith("to=") or "<|" in word or not _is_one_word(word):
        raise MessageError(
            f"{field} {word!r} would break the message's header; "
            "give one word without white space, control characters, `<|` or a leading `to=`"
        )


def _is_one_word(word: str) -> bool:
    return word.isprintable() and " " not in word

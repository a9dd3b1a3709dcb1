"""Tokens to messages: one state machine, for a stream and for a whole completion."""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from typing import cast

from ..errors import HarmonyError
from . import special
from .events import Delta, Ended, Ending, Event, Started
from .header import Header
from .messages import ROLES, Message, Role
from .vocabulary import decode, vocabulary

_ENDS: dict[int, Ending] = {
    special.END: "end",
    special.CALL: "call",
    special.RETURN: "return",
}


class StreamParser:
    """Reads messages from tokens as they are sampled."""

    def __init__(self, role: Role | None = "assistant", *, strict: bool = False) -> None:
        self.messages: list[Message] = []
        self._role = role
        self._strict = strict
        self._at = -1
        self._state = "header" if role else "start"
        self._head: list[int] = []
        self._header: Header | None = None
        self._text: list[str] = []
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace")
        self._bytes_of = vocabulary().bytes_of

    def feed(self, tokens: int | Sequence[int]) -> list[Event]:
        """Read one token, or many."""
        events: list[Event] = []
        for token in (tokens,) if isinstance(tokens, int) else tokens:
            self._at += 1
            self._take(token, events)
        return events

    def finish(self) -> list[Event]:
        """End the stream: an open message ends here."""
        events: list[Event] = []
        if self._header is not None:
            self._end(None, events)
        return events

    def _take(self, token: int, events: list[Event]) -> None:
        if self._state == "start":
            if token == special.START:
                self._state, self._role, self._head = "header", None, []
        elif self._state == "header":
            if token == special.MESSAGE:
                self._header = _read(self._head, self._role)
                self._state = "content"
                events.append(Started(self._at, self._header))
            else:
                self._head.append(token)
        elif token in _ENDS:
            self._end(_ENDS[token], events)
        else:
            self._more(self._utf8.decode(self._bytes_of[token]), events)

    def _more(self, text: str, events: list[Event]) -> None:
        if text and self._header:
            self._text.append(text)
            events.append(Delta(self._at, self._header, text))

    def _end(self, end: Ending | None, events: list[Event]) -> None:
        header = self._header
        if header is None:
            return
        self._more(self._utf8.decode(b"", final=True), events)
        message = Message(
            header.role,
            "".join(self._text),
            name=header.name,
            channel=header.channel,
            recipient=header.recipient,
            content_type=header.content_type,
        )
        self._text, self._header, self._state = [], None, "start"
        self._utf8.reset()
        self.messages.append(message)
        events.append(Ended(self._at, message, end))


def parse(
    tokens: Sequence[int], *, role: Role | None = "assistant", strict: bool = False
) -> list[Message]:
    """Read one completion as messages.

    tokens: token ids, shape (n,), without the prompt; n = 0 gives [].
    role: whose turn it is where the tokens open in mid-message; None if they open a message.
    """
    parser = StreamParser(role, strict=strict)
    parser.feed(tokens)
    parser.finish()
    return parser.messages


def _read(tokens: list[int], role: Role | None) -> Header:
    text = decode(tokens)
    author, _, rest = text.partition("<|channel|>")
    words = rest.replace("<|constrain|>", " <|constrain|>").split()
    heads = author.split()
    name = None
    if role is None:
        first = heads.pop(0) if heads else ""
        start, _, end = first.partition(":")
        if start in ROLES:
            role, name = cast("Role", start), end or None
        else:
            role, name = "tool", first
    channel = words.pop(0) if words else None
    recipient = content_type = None
    for word in [*heads, *words]:
        if word.startswith("to="):
            recipient = word[3:]
        else:
            content_type = word
    if role is None:
        raise HarmonyError("the header names no role")
    return Header(role, name, channel, recipient, content_type)

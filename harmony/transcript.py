"""The growing prompt of a run: what was said, and the very tokens it was said in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from . import special
from .messages import Message, Role
from .parser import parse
from .render import message_tokens, offers_functions, opening


@dataclass(frozen=True, slots=True)
class _Entry:
    messages: tuple[Message, ...]
    tokens: list[int]


class Transcript:
    """Messages, and their tokens as the model sees them; sampled tokens stay as sampled."""

    def __init__(self, messages: Iterable[Message] = ()) -> None:
        self._entries: list[_Entry] = []
        start = tuple(messages)
        self._functions = offers_functions(start)
        for message in start:
            self.append(message)

    @property
    def messages(self) -> list[Message]:
        """Everything that was said, in order."""
        return [message for entry in self._entries for message in entry.messages]

    @property
    def tokens(self) -> list[int]:
        """What the model has before it."""
        return [token for entry in self._entries for token in entry.tokens]

    def append(self, message: Message) -> None:
        """Add a message of a user, a tool or the program."""
        tokens = message_tokens(message, functions=self._functions)
        self._entries.append(_Entry((message,), tokens))

    def prompt(self, role: Role = "assistant") -> list[int]:
        """The tokens, and the opening of the next message: ready for sampling."""
        return self.tokens + opening(role)

    def append_sampled(self, tokens: Sequence[int]) -> list[Message]:
        """Add what the model sampled after `prompt()`, exactly; returns its messages."""
        said = parse(tokens)
        kept = opening("assistant") + list(tokens)
        if kept[-1] == special.RETURN:
            kept[-1] = special.END
        self._entries.append(_Entry(tuple(said), kept))
        return said

    def fork(self) -> Transcript:
        """A copy that grows by itself."""
        twin = Transcript()
        twin._entries = list(self._entries)
        twin._functions = self._functions
        return twin

"""The growing prompt of a run: its messages and their exact tokens."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, overload

from ..format import Json, Message, Role
from ..parsing import Event
from ..rendering import generation_prefix, message_tokens, offers_functions
from .entries import Entry, sampled_entries


@dataclass(frozen=True, slots=True)
class _Link:
    """An immutable node of a linked list of entries; forks share it."""

    previous: _Link | None
    entry: Entry
    size: int
    """The number of tokens up to here."""
    is_cleaned: bool
    """Whether the reasoning up to here was dropped already."""


class TokenView(Sequence[int]):
    """A read-only view of the first tokens of an append-only list, followed by a short tail."""

    __slots__ = ("_count", "_tail", "_tokens")

    def __init__(self, tokens: list[int], count: int, tail: Sequence[int]) -> None:
        self._tokens = tokens
        self._count = count
        self._tail = tail

    def __len__(self) -> int:
        return self._count + len(self._tail)

    def __iter__(self) -> Iterator[int]:
        return chain(islice(self._tokens, self._count), self._tail)

    @overload
    def __getitem__(self, at: int) -> int: ...

    @overload
    def __getitem__(self, at: slice) -> Sequence[int]: ...

    def __getitem__(self, at: int | slice) -> int | Sequence[int]:
        if isinstance(at, slice):
            return list(self)[at]
        index = range(len(self))[at]
        return self._tokens[index] if index < self._count else self._tail[index - self._count]


class Transcript:
    """The messages of a run, and their tokens as the model sees them.

    Appending takes time in proportion to what is appended. Sampled tokens are kept as they were
    sampled, so the prompt of a step starts with the prompt of the step before, and an engine's
    prefix cache can serve it. Only when a user message follows a final message, the reasoning
    before that final message is dropped from the tokens. It stays in `messages`.

    Except for sampled tokens, the tokens are those of `render(messages, reasoning="finished")`.
    """

    __slots__ = ("_flat_end", "_flat_tokens", "_functions", "_last")

    def __init__(self, messages: Iterable[Message] = ()) -> None:
        self._last: _Link | None = None
        # All history tokens up to the link `_flat_end`. The list only grows, so its views stay
        # valid. When earlier entries change, a new list replaces it.
        self._flat_tokens: list[int] = []
        self._flat_end: _Link | None = None
        self._functions = False
        for message in messages:
            self.append(message)

    @property
    def messages(self) -> list[Message]:
        """All messages in order, including dropped reasoning."""
        return [message for link in self._links() for message in link.entry.messages]

    @property
    def tokens(self) -> list[int]:
        """All tokens, shape (n,); the last message ends as it was sampled."""
        out = self._history()
        if self._last:
            entry = self._last.entry
            out[len(out) - len(entry.closing_token) :] = entry.end
        return out

    @property
    def count(self) -> int:
        """The number of tokens of `prompt()`, in constant time."""
        return (self._last.size if self._last else 0) + len(generation_prefix("assistant"))

    @property
    def sizes(self) -> list[int]:
        """The number of tokens of each message in the prompt; 0 for dropped messages.

        If sampled messages cannot be separated, the first one has all their tokens.
        """
        sizes: list[int] = []
        for link in self._links():
            sizes += [link.entry.size, *[0] * (len(link.entry.messages) - 1)]
        return sizes

    def prompt(self, role: Role = "assistant") -> list[int]:
        """Return the tokens and the generation prefix of the next message, shape (n,).

        Sampled messages end as they do in the history: `<|return|>` becomes `<|end|>`, and a cut
        message gets its closing token.
        """
        return list(self.view(role))

    def view(self, role: Role = "assistant") -> Sequence[int]:
        """Return `prompt` as a view, without a copy, in time proportional to what is new."""
        self._flatten()
        return TokenView(self._flat_tokens, len(self._flat_tokens), generation_prefix(role))

    def append(self, message: Message) -> None:
        """Append a message that was not sampled.

        Raises MessageError if its header could not be parsed again.
        """
        self.extend((message,))

    def extend(self, messages: Iterable[Message]) -> None:
        """Append messages that were not sampled.

        Raises MessageError if a header could not be parsed again; the messages before it stay.
        """
        for message in messages:
            tokens = message_tokens(message, functions=self._functions)
            if not self._functions and offers_functions((message,)):
                # The system message mentions functions, so it must be rendered again.
                self._functions = True
                earlier = [link.entry.rerendered() for link in self._links()]
                self._last = None
                for rerendered in earlier:
                    self._push(rerendered)
            if message.role == "user":
                self._drop_finished_reasoning()
            self._push(Entry.rendered((message,), tokens))

    def append_sampled(
        self,
        tokens: Sequence[int],
        *,
        recipients: Collection[str] = (),
        events: Iterable[Event] | None = None,
    ) -> list[Message]:
        """Append the exact tokens sampled after `prompt()`, and return their messages.

        tokens: shape (n,), without the generation prefix. If they end in the middle of a header,
            that header is omitted.
        recipients: recipients that exist; they resolve doubtful headers, as in `StreamParser`.
        events: all `Ended` and `Repaired` events that a new `StreamParser` with the same
            recipients returned for these tokens, in order; other events are ignored. The tokens
            are then not parsed again. The parser may have read more tokens after these: their
            events are ignored, so `tokens` may be any prefix of what was read. If the tokens end
            inside a message and the parser was not finished there, they are parsed again: the
            events do not tell how the message ends. The result is the same in every case.
        """
        entries = sampled_entries(tokens, frozenset(recipients), events)
        for entry in entries:
            self._push(entry)
        return [message for entry in entries for message in entry.messages]

    def fork(self) -> Transcript:
        """Return an independent copy in constant time; the entries are shared."""
        fork = Transcript()
        fork._last = self._last
        fork._functions = self._functions
        return fork

    def replace(self, changes: Mapping[int, Sequence[Message]]) -> Transcript:
        """Return a copy with some messages replaced; all others keep their tokens.

        changes: the new messages, by index in `messages`; an empty sequence removes the message.

        Raises MessageError if the header of a new message could not be parsed again.
        """
        copy = Transcript()
        new = [message for messages in changes.values() for message in messages]
        copy._functions = self._functions or offers_functions(new)
        at = 0
        for link in self._links():
            messages = dict(enumerate(link.entry.messages, start=at))
            at += len(messages)
            if messages.keys().isdisjoint(changes):
                entry = (
                    link.entry if copy._functions == self._functions else link.entry.rerendered()
                )
                copy._push(entry, is_cleaned=link.is_cleaned)
                continue
            for index, message in messages.items():
                for new_message in changes.get(index, (message,)):
                    tokens = message_tokens(new_message, functions=copy._functions)
                    copy._push(Entry.rendered((new_message,), tokens))
        return copy

    def to_dict(self) -> Json:
        """Return the messages and tokens as JSON."""
        return {"entries": [link.entry.to_dict() for link in self._links()]}

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Transcript:
        """Read the JSON of `to_dict`; the transcript can then grow."""
        transcript = cls()
        for entry in map(Entry.from_dict, raw["entries"]):
            transcript._push(entry)
        transcript._functions = offers_functions(transcript.messages)
        return transcript

    def _links(self) -> list[_Link]:
        """Return all links in order."""
        links: list[_Link] = []
        link = self._last
        while link:
            links.append(link)
            link = link.previous
        return links[::-1]

    def _history(self) -> list[int]:
        """Return all tokens; every message has its closing token."""
        self._flatten()
        return self._flat_tokens.copy()

    def _flatten(self) -> None:
        """Extend the flat list of tokens to the last link."""
        new: list[_Link] = []
        link = self._last
        while link is not None and link is not self._flat_end:
            new.append(link)
            link = link.previous
        if link is not self._flat_end:
            self._flat_tokens = []
        for added in reversed(new):
            self._flat_tokens += added.entry.tokens
            self._flat_tokens += added.entry.closing_token
        self._flat_end = self._last

    def _push(self, entry: Entry, *, is_cleaned: bool = False) -> None:
        size = self._last.size if self._last else 0
        self._last = _Link(self._last, entry, size + entry.size, is_cleaned)

    def _drop_finished_reasoning(self) -> None:
        """Drop the reasoning before the last final message from the tokens."""
        recent: list[Entry] = []
        link = self._last
        while link and not link.is_cleaned:
            recent.append(link.entry)
            link = link.previous
        recent.reverse()
        finals = [at for at, entry in enumerate(recent) if entry.is_final]
        if not finals:
            return
        self._last = link
        for at, entry in enumerate(recent):
            cleaned = entry.without_reasoning() if at <= finals[-1] else entry
            self._push(cleaned, is_cleaned=at == finals[-1])

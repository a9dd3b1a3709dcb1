"""The growing prompt of a run: what was said, and the very tokens it was said in."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, overload

from ..format import Json, Message, Role
from ..parsing import Event
from ..rendering import generation_prefix, offers_functions
from .entries import Entry, rendered, sampled


@dataclass(frozen=True, slots=True)
class _Link:
    """An entry, and what was said before it. Links never change: forks share them."""

    before: _Link | None
    entry: Entry
    size: int
    """How many tokens there are up to here."""
    is_settled: bool
    """Whether the reasoning up to here has been dropped."""


class TokenView(Sequence[int]):
    """The first tokens of a list that only ever grows, and a few behind them."""

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
        place = range(len(self))[at]
        return self._tokens[place] if place < self._count else self._tail[place - self._count]


class Transcript:
    """Messages, and their tokens as the model sees them.

    Appending costs what is appended. Sampled tokens stay as they were sampled, so that the prompt
    of a step begins with the prompt of the step before, and an engine's prefix cache holds. Only
    where a user speaks after a final answer, the reasoning that led there leaves the tokens, and
    stays in `messages`; what stood before it keeps its place.

    Sampled tokens aside, the tokens are those of `render(messages, reasoning="finished")`.
    """

    __slots__ = ("_flat", "_flat_to", "_functions", "_last")

    def __init__(self, messages: Iterable[Message] = ()) -> None:
        self._last: _Link | None = None
        # All tokens up to a link, each message ended as history ends it. It only ever grows, so
        # that views of it stay true; where what was said changes, another list is begun.
        self._flat: list[int] = []
        self._flat_to: _Link | None = None
        self._functions = False
        for message in messages:
            self.append(message)

    @property
    def messages(self) -> list[Message]:
        """Everything that was said, in order, dropped reasoning included."""
        return [message for link in self._links() for message in link.entry.messages]

    @property
    def tokens(self) -> list[int]:
        """What was said, in tokens, shape (n,); at the end, as it was sampled."""
        out = self._history()
        if self._last:
            entry = self._last.entry
            out[len(out) - len(entry.due) :] = entry.end
        return out

    @property
    def count(self) -> int:
        """How many tokens `prompt()` has, at no cost."""
        return (self._last.size if self._last else 0) + len(generation_prefix("assistant"))

    @property
    def sizes(self) -> list[int]:
        """Tokens of each message in the prompt, 0 for what was dropped from it.

        Messages that were sampled in one tangle count for the first of them.
        """
        sizes: list[int] = []
        for link in self._links():
            sizes += [link.entry.size, *[0] * (len(link.entry.messages) - 1)]
        return sizes

    def prompt(self, role: Role = "assistant") -> list[int]:
        """The tokens, and the opening of the next message, shape (n,): ready for sampling.

        Sampled messages are ended as history ends them: `<|return|>` becomes `<|end|>`, and what
        was cut is closed.
        """
        return list(self.view(role))

    def view(self, role: Role = "assistant") -> Sequence[int]:
        """`prompt`, without a copy: it costs what is new since the last one, however long it is."""
        self._flatten()
        return TokenView(self._flat, len(self._flat), generation_prefix(role))

    def append(self, message: Message) -> None:
        """Add a message of a user, a tool or the program.

        Raises MessageError if its header would not survive rendering.
        """
        entry = rendered(message, functions=self._functions)
        if not self._functions and offers_functions((message,)):
            # A system message speaks of functions too, and was rendered without.
            self._functions = True
            before = [link.entry.rerendered() for link in self._links()]
            self._last = None
            for one in before:
                self._push(one)
        if message.role == "user":
            self._settle()
        self._push(entry)

    def append_sampled(
        self,
        tokens: Sequence[int],
        *,
        recipients: Collection[str] = (),
        events: Iterable[Event] | None = None,
    ) -> list[Message]:
        """Add what the model sampled after `prompt()`, exactly, and return its messages.

        tokens: shape (n,), without the generation prefix. If they end in the middle of a header,
            that header is left out.
        recipients: recipients that exist; they resolve doubtful headers, as in `StreamParser`.
        events: all `Ended` and `Repaired` events that a new `StreamParser` with the same
            recipients returned for these tokens, in order; other events are ignored. The tokens
            are then not parsed again. The parser may have read more tokens after these: their
            events are ignored, so `tokens` may be any prefix of what was read. If the tokens end
            inside a message and the parser was not finished there, they are parsed again: the
            events do not tell how the message ends. The result is the same in every case.
        """
        entries = sampled(tokens, frozenset(recipients), events)
        for entry in entries:
            self._push(entry)
        return [message for entry in entries for message in entry.messages]

    def fork(self) -> Transcript:
        """A copy that grows by itself, made in no time: what was said is shared."""
        twin = Transcript()
        twin._last = self._last
        twin._functions = self._functions
        return twin

    def replaced(self, changes: Mapping[int, Sequence[Message]]) -> Transcript:
        """A copy in which other messages stand in the place of some; the rest keeps its tokens.

        changes: by a message's index in `messages`; nothing in its place leaves it out.

        Raises MessageError if a new message's header would not survive rendering.
        """
        twin = Transcript()
        new = [message for messages in changes.values() for message in messages]
        twin._functions = self._functions or offers_functions(new)
        at = 0
        for link in self._links():
            messages = dict(enumerate(link.entry.messages, start=at))
            at += len(messages)
            if messages.keys().isdisjoint(changes):
                entry = (
                    link.entry if twin._functions == self._functions else link.entry.rerendered()
                )
                twin._push(entry, is_settled=link.is_settled)
                continue
            for place, message in messages.items():
                for told in changes.get(place, (message,)):
                    twin._push(rendered(told, functions=twin._functions))
        return twin

    def to_dict(self) -> Json:
        """JSON of messages and tokens, from which the transcript can go on."""
        return {"entries": [link.entry.to_dict() for link in self._links()]}

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Transcript:
        """Read what `to_dict` wrote."""
        transcript = cls()
        for entry in map(Entry.from_dict, raw["entries"]):
            transcript._push(entry)
        transcript._functions = offers_functions(transcript.messages)
        return transcript

    def _links(self) -> list[_Link]:
        """All links, the first one first."""
        links: list[_Link] = []
        link = self._last
        while link:
            links.append(link)
            link = link.before
        return links[::-1]

    def _history(self) -> list[int]:
        """All tokens, every message ended as history ends it."""
        self._flatten()
        return self._flat.copy()

    def _flatten(self) -> None:
        """Bring the flat tokens up to the last link."""
        new: list[_Link] = []
        link = self._last
        while link is not None and link is not self._flat_to:
            new.append(link)
            link = link.before
        if link is not self._flat_to:
            self._flat = []
        for one in reversed(new):
            self._flat += one.entry.tokens
            self._flat += one.entry.due
        self._flat_to = self._last

    def _push(self, entry: Entry, *, is_settled: bool = False) -> None:
        size = self._last.size if self._last else 0
        self._last = _Link(self._last, entry, size + entry.size, is_settled)

    def _settle(self) -> None:
        """Drop the reasoning of the turns that ended in a final message."""
        loose: list[Entry] = []
        link = self._last
        while link and not link.is_settled:
            loose.append(link.entry)
            link = link.before
        loose.reverse()
        finals = [at for at, entry in enumerate(loose) if entry.is_final]
        if not finals:
            return
        self._last = link
        for at, entry in enumerate(loose):
            told = entry.without_reasoning() if at <= finals[-1] else entry
            self._push(told, is_settled=at == finals[-1])

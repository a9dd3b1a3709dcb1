"""What was said at one time, with its tokens: the pieces a transcript is made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...errors import MessageError
from ..format import Json, Message, SystemContent, header_of, special
from ..parsing import Ended, Event, Repaired, RepairKind, StreamParser
from ..rendering import generation_prefix, message_tokens

_ENDS = frozenset({special.END, special.CALL, special.RETURN})
# After any other repair nobody can say which token belongs to which message.
_HARMLESS: frozenset[RepairKind] = frozenset({"wrong_end", "python_json", "imagined_author"})


@dataclass(frozen=True, slots=True)
class Entry:
    """Messages, and the tokens that they are said in; none, if they were dropped."""

    messages: tuple[Message, ...]
    tokens: tuple[int, ...]
    """From `<|start|>` on, without the token that ends them."""
    end: tuple[int, ...]
    """The token that ended them as they came; none, if they were cut."""
    due: tuple[int, ...]
    """The token that ends them once more is said."""

    @property
    def size(self) -> int:
        """How many tokens there are once more is said."""
        return len(self.tokens) + len(self.due)

    @property
    def is_final(self) -> bool:
        """Whether an answer is among the messages."""
        return any(message.channel == "final" for message in self.messages)

    def without_reasoning(self) -> Entry:
        """The same messages, the tokens of the analysis channel left out."""
        kept = [message for message in self.messages if message.channel != "analysis"]
        if len(kept) == len(self.messages):
            return self
        if not kept:
            return Entry(self.messages, (), (), ())
        try:
            tokens = [token for message in kept for token in message_tokens(message)]
        except MessageError:
            # It was sampled in a way that cannot be rendered: better all of it than none.
            return self
        return Entry(self.messages, (*tokens[:-1],), (tokens[-1],), (tokens[-1],))

    def rerendered(self) -> Entry:
        """The same, for a conversation that turned out to offer functions."""
        if not any(isinstance(part, SystemContent) for part in self.messages[0].parts):
            return self
        return rendered(self.messages[0], functions=True)

    def to_dict(self) -> Json:
        """JSON of messages and tokens."""
        return {
            "messages": [message.to_dict() for message in self.messages],
            "tokens": list(self.tokens),
            "end": list(self.end),
            "due": list(self.due),
        }

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Entry:
        """Read what `to_dict` wrote."""
        messages = tuple(map(Message.from_dict, raw["messages"]))
        return cls(messages, tuple(raw["tokens"]), tuple(raw["end"]), tuple(raw["due"]))


def rendered(message: Message, *, functions: bool) -> Entry:
    """A message that no model has sampled."""
    tokens = message_tokens(message, functions=functions)
    return Entry((message,), (*tokens[:-1],), (tokens[-1],), (tokens[-1],))


def sampled(
    tokens: Sequence[int], recipients: frozenset[str], events: Iterable[Event] | None = None
) -> list[Entry]:
    """Return what a model sampled as entries, one per message where messages can be separated.

    tokens: shape (n,), after `<|start|>assistant`.
    recipients: recipients that exist.
    events: see `Transcript.append_sampled`.
    """
    complete = None if events is None else _events_of(tokens, events)
    if complete is None:
        parser = StreamParser(recipients=recipients)
        complete = parser.feed(tokens) + parser.finish()
    ended = [event for event in complete if isinstance(event, Ended)]
    if not ended:
        return []
    if any(_tangles(event) for event in complete):
        messages = tuple(event.message for event in ended)
        whole = [*generation_prefix("assistant"), *tokens[: ended[-1].at]]
        return [_entry(messages, whole, tokens, ended[-1])]
    return list(_split(tokens, ended))


def _events_of(tokens: Sequence[int], events: Iterable[Event]) -> list[Event] | None:
    """Return the events of these tokens and of `finish`; None if those of `finish` are missing."""
    size = len(tokens)
    known = [event for event in events if event.at <= size]
    if any(event.at == size and isinstance(event, Ended) and event.end is None for event in known):
        # Only `finish` ends a message without a reason, so no token came after these.
        return known
    known = [event for event in known if event.at < size]
    ends = size > 0 and tokens[-1] in _ENDS
    if ends and any(event.at == size - 1 and isinstance(event, Ended) for event in known):
        # Between two messages `finish` has nothing to report.
        return known
    return None


def _split(tokens: Sequence[int], ended: Sequence[Ended]) -> Iterator[Entry]:
    head = generation_prefix("assistant")
    start = 0
    for event in ended:
        yield _entry((event.message,), [*head, *tokens[start : event.at]], tokens, event)
        head = []
        start = event.at + 1


def _entry(
    messages: tuple[Message, ...], said: Sequence[int], tokens: Sequence[int], event: Ended
) -> Entry:
    """An entry whose last message ended there."""
    end = (*tokens[event.at : event.at + 1],)
    due = special.CALL if header_of(event.message).is_call else special.END
    return Entry(messages, (*said,), end if _ENDS.issuperset(end) else (), (due,))


def _tangles(event: Event) -> bool:
    return isinstance(event, Repaired) and event.kind not in _HARMLESS

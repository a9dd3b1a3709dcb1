"""The entries of a transcript: messages with their tokens."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...errors import MessageError
from ..format import Json, Message, SystemContent, header_of, special
from ..parsing import Ended, Event, Repaired, RepairKind, StreamParser
from ..rendering import generation_prefix, message_tokens

_ENDS = frozenset({special.END, special.CALL, special.RETURN})
# After any other repair it is unclear which token belongs to which message.
_HARMLESS_REPAIRS: frozenset[RepairKind] = frozenset(
    {"wrong_end", "python_json", "imagined_author"}
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One or more messages and their tokens; no tokens if they were dropped from the prompt."""

    messages: tuple[Message, ...]
    tokens: tuple[int, ...]
    """From `<|start|>` on, without the token at the end."""
    end: tuple[int, ...]
    """The token that ended them, as sampled; empty if they were cut."""
    closing_token: tuple[int, ...]
    """The token that ends them in the history; empty if they were dropped."""

    @property
    def size(self) -> int:
        """The number of tokens in the history."""
        return len(self.tokens) + len(self.closing_token)

    @property
    def is_final(self) -> bool:
        """Whether the entry has a final message."""
        return any(message.channel == "final" for message in self.messages)

    def without_reasoning(self) -> Entry:
        """Return the same messages without the tokens of the analysis channel."""
        visible = [message for message in self.messages if message.channel != "analysis"]
        if len(visible) == len(self.messages):
            return self
        if not visible:
            return Entry(self.messages, (), (), ())
        try:
            tokens = [token for message in visible for token in message_tokens(message)]
        except MessageError:
            # The sampled header cannot be rendered, so keep all tokens.
            return self
        return Entry.rendered(self.messages, tokens)

    def rerendered(self) -> Entry:
        """Return the entry as rendered for a conversation with functions."""
        if not any(isinstance(part, SystemContent) for part in self.messages[0].parts):
            return self
        return Entry.rendered(self.messages, message_tokens(self.messages[0], functions=True))

    def to_dict(self) -> Json:
        """Return the messages and tokens as JSON."""
        return {
            "messages": [message.to_dict() for message in self.messages],
            "tokens": list(self.tokens),
            "end": list(self.end),
            "closing_token": list(self.closing_token),
        }

    @classmethod
    def rendered(cls, messages: tuple[Message, ...], tokens: Sequence[int]) -> Entry:
        """Return an entry for messages that were rendered as these tokens, not sampled."""
        return cls(messages, (*tokens[:-1],), (tokens[-1],), (tokens[-1],))

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Entry:
        """Read the JSON of `to_dict`."""
        messages = tuple(map(Message.from_dict, raw["messages"]))
        # Earlier versions wrote the key `due`.
        closing_token = raw["closing_token"] if "closing_token" in raw else raw["due"]
        return cls(messages, tuple(raw["tokens"]), tuple(raw["end"]), tuple(closing_token))


def sampled_entries(
    tokens: Sequence[int], recipients: frozenset[str], events: Iterable[Event] | None = None
) -> list[Entry]:
    """Return what a model sampled as entries, one per message where messages can be separated.

    tokens: shape (n,), after `<|start|>assistant`.
    recipients: recipients that exist.
    events: see `Transcript.append_sampled`.
    """
    complete = None if events is None else _complete_events(tokens, events)
    if complete is None:
        parser = StreamParser(recipients=recipients)
        complete = parser.feed(tokens) + parser.finish()
    ended = [event for event in complete if isinstance(event, Ended)]
    if not ended:
        return []
    if any(_prevents_splitting(event) for event in complete):
        messages = tuple(event.message for event in ended)
        whole = [*generation_prefix("assistant"), *tokens[: ended[-1].at]]
        return [_entry(messages, whole, tokens, ended[-1])]
    return list(_split(tokens, ended))


def _complete_events(tokens: Sequence[int], events: Iterable[Event]) -> list[Event] | None:
    """Return the events of these tokens and of `finish`, or None if the latter are missing."""
    size = len(tokens)
    relevant = [event for event in events if event.at <= size]
    ended = [event for event in relevant if isinstance(event, Ended)]
    if any(event.at == size and event.end is None for event in ended):
        # Only `finish` ends a message without an end token, so the parser read no more tokens.
        return relevant
    if size > 0 and tokens[-1] in _ENDS and any(event.at == size - 1 for event in ended):
        # The tokens end with a whole message, after which `finish` has no events.
        return [event for event in relevant if event.at < size]
    return None


def _split(tokens: Sequence[int], ended: Sequence[Ended]) -> Iterator[Entry]:
    prefix = generation_prefix("assistant")
    start = 0
    for event in ended:
        yield _entry((event.message,), [*prefix, *tokens[start : event.at]], tokens, event)
        prefix = []
        start = event.at + 1


def _entry(
    messages: tuple[Message, ...], own: Sequence[int], tokens: Sequence[int], event: Ended
) -> Entry:
    """Return an entry whose last message ended with this event.

    own: the tokens of the entry. tokens: all sampled tokens.
    """
    end = (*tokens[event.at : event.at + 1],)
    closing_token = special.CALL if header_of(event.message).is_call else special.END
    return Entry(messages, (*own,), end if _ENDS.issuperset(end) else (), (closing_token,))


def _prevents_splitting(event: Event) -> bool:
    return isinstance(event, Repaired) and event.kind not in _HARMLESS_REPAIRS

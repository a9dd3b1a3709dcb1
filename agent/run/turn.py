"""One turn of the model, read while it is sampled."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from ...harmony import STOP_TOKENS, Ended, Message, Repaired, Started, StreamParser
from ...harmony import Event as ParserEvent
from ..engines import Sampled
from ..usage import Usage

CUT_OFF = "it was cut off"
"""Why a turn is discarded that reached its maximum number of tokens."""


@dataclass
class Turn:
    """One turn, parsed as it arrives.

    It is over at its first tool call or final message, whichever token closed that. What the model
    imagines after it never becomes part of the run, and the engine is told to stop.
    """

    recipients: Collection[str] = ()
    """The recipients that exist; they resolve ambiguous headers."""
    prompt_tokens: int = 0
    tokens: list[int] = field(default_factory=list[int])
    """As sampled, up to the end of the tool call or the answer."""
    events: list[ParserEvent] = field(default_factory=list[ParserEvent])
    """The ends of messages and the repairs that the parser reported; the transcript needs them."""
    call: Message | None = None
    """The tool call that ended the turn."""
    dropped: tuple[str, ...] = ()
    """The recipients of further calls that the engine sampled before it was stopped."""
    final: Message | None = None
    """The final message that ended the turn."""
    finish: Literal["stop", "length"] | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int = 0
    repairs: int = 0
    kept_tokens: int = 0
    """How many tokens form whole messages without repairs. The run can continue from there even if
    the rest of the turn is unusable."""
    engine_s: float = 0.0
    failure: str | None = None
    """Why the engine failed in the middle of the turn, if it did."""
    _message_start: int = 0
    """Index of the first token of the message being read."""
    _has_more: bool = False
    """Whether the engine samples on after the end of the turn."""

    def __post_init__(self) -> None:
        self._parser = StreamParser(recipients=self.recipients)

    @property
    def is_over(self) -> bool:
        """Whether nothing more should be read.

        After a stop token the engine still reports the turn's cost; after any other token it would
        only continue to sample.
        """
        if self.finish is not None or self._has_more:
            return True
        return self._has_ended and self.tokens[-1] not in STOP_TOKENS

    @property
    def _has_ended(self) -> bool:
        return self.call is not None or self.final is not None

    @property
    def fault(self) -> str | None:
        """Why the turn is discarded; None if it has a tool call or a final message."""
        if self._has_ended:
            return None
        if self.failure is not None:
            return self.failure
        if self.finish == "length":
            return CUT_OFF
        return "it has neither a tool call nor an answer" if self.tokens else "it is empty"

    @property
    def usage(self) -> Usage:
        """What the turn used."""
        return Usage(
            steps=1,
            prompt_tokens=self.prompt_tokens,
            cached_tokens=self.cached_tokens,
            sampled_tokens=len(self.tokens),
            reasoning_tokens=self.reasoning_tokens,
            repairs=self.repairs,
            resamples=int(self.fault is not None and self.failure is None),
            engine_s=self.engine_s,
        )

    def read(self, piece: Sampled) -> list[ParserEvent]:
        """Read a piece of the turn and return its parser events, up to the end of the turn."""
        if self._has_ended:
            self._has_more = bool(piece.tokens)
        else:
            self.tokens.extend(piece.tokens)
        if piece.cached_tokens is not None:
            self.cached_tokens = piece.cached_tokens
        events = self._parser.feed(piece.tokens)
        if piece.finish is not None:
            self.finish = piece.finish
            events += self._parser.finish()
        if self._has_ended:
            self.dropped += tuple(_recipients(events))
            return []
        for count, event in enumerate(events, start=1):
            if isinstance(event, Repaired):
                self.repairs += 1
                self.events.append(event)
            elif isinstance(event, Ended):
                self.events.append(event)
                if self._end_message(event):
                    del self.tokens[event.at + 1 :]
                    self.dropped = tuple(_recipients(events[count:]))
                    return events[:count]
        return events

    def _end_message(self, ended: Ended) -> bool:
        """Note the end of a message; return whether the turn ends with it."""
        message = ended.message
        is_cut = ended.end is None and self.finish == "length"
        if message.role != "assistant" or is_cut:
            return False
        if message.channel == "analysis" and message.recipient is None:
            self.reasoning_tokens += ended.at + 1 - self._message_start
        self._message_start = ended.at + 1
        if ended.end is not None and not self.repairs:
            self.kept_tokens = ended.at + 1
        if message.recipient is not None:
            self.call = message
        elif message.channel == "final":
            self.final = message
        return self._has_ended


def _recipients(events: Iterable[ParserEvent]) -> Iterator[str]:
    """Yield the recipients of the calls that begin in these events."""
    for event in events:
        if isinstance(event, Started) and event.header.is_call:
            yield event.header.recipient or ""

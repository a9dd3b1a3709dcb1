"""One turn of the model: its tokens as they were sampled, and what they amount to."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Literal

from ...harmony import STOP_TOKENS, Ended, Message, Repaired, StreamParser
from ...harmony import Event as ParserEvent
from ..engines import Sampled
from ..usage import Usage

CUT = "it was cut"
"""Why a turn leads nowhere that had no more tokens left."""


@dataclass
class Turn:
    """One turn, read as it is sampled.

    It is over with its first call or final answer, whatever token closed that: what a model goes
    on to imagine never reaches the run, and the engine is told to stop.
    """

    recipients: Collection[str] = ()
    """Whom a call may address; they settle doubtful headers."""
    prompt_tokens: int = 0
    tokens: list[int] = field(default_factory=list[int])
    """As sampled, up to the end of the call or of the answer."""
    call: Message | None = None
    """The call that the turn ended in."""
    final: Message | None = None
    """The answer that it ended in."""
    finish: Literal["stop", "length"] | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int = 0
    repairs: int = 0
    kept: int = 0
    """How many of the tokens make whole messages that needed no repair: a run can go on from
    there, whatever became of the rest."""
    engine_s: float = 0.0
    broken: str | None = None
    """Why nothing more came, if the engine failed."""
    _since: int = 0
    """Where the message that is being read began."""

    def __post_init__(self) -> None:
        self._parser = StreamParser(recipients=self.recipients)

    @property
    def over(self) -> bool:
        """Whether nothing more is to be read.

        After a stop token the engine still says what the turn cost; after any other it would
        only go on sampling.
        """
        done = self.call is not None or self.final is not None
        return self.finish is not None or (done and self.tokens[-1] not in STOP_TOKENS)

    @property
    def fault(self) -> str | None:
        """Why the turn leads nowhere; None if it ended in a call or an answer."""
        if self.call is not None or self.final is not None:
            return None
        if self.broken is not None:
            return self.broken
        if self.finish == "length":
            return CUT
        return "it held no call and no answer" if self.tokens else "it was empty"

    @property
    def usage(self) -> Usage:
        """What it cost."""
        return Usage(
            steps=1,
            prompt_tokens=self.prompt_tokens,
            cached_tokens=self.cached_tokens,
            sampled_tokens=len(self.tokens),
            reasoning_tokens=self.reasoning_tokens,
            repairs=self.repairs,
            resamples=int(self.fault is not None and self.broken is None),
            engine_s=self.engine_s,
        )

    def read(self, piece: Sampled) -> list[ParserEvent]:
        """Take in a piece; returns what it told, as far as it belongs to the turn."""
        self.tokens.extend(piece.tokens)
        if piece.cached_tokens is not None:
            self.cached_tokens = piece.cached_tokens
        events = self._parser.feed(piece.tokens)
        if piece.finish is not None:
            self.finish = piece.finish
            events += self._parser.finish()
        for count, event in enumerate(events, start=1):
            if isinstance(event, Repaired):
                self.repairs += 1
            elif isinstance(event, Ended) and self._close(event):
                del self.tokens[event.at + 1 :]
                return events[:count]
        return events

    def _close(self, ended: Ended) -> bool:
        """Note a whole message; true if the turn is over with it."""
        message = ended.message
        cut = ended.end is None and self.finish == "length"
        if message.role != "assistant" or cut:
            return False
        if message.channel == "analysis" and message.recipient is None:
            self.reasoning_tokens += ended.at + 1 - self._since
        self._since = ended.at + 1
        if ended.end is not None and not self.repairs:
            self.kept = ended.at + 1
        if message.recipient is not None:
            self.call = message
        elif message.channel == "final":
            self.final = message
        return self.call is not None or self.final is not None

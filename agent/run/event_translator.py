"""Parser events as the events of a run."""

from __future__ import annotations

from ...harmony import Delta, Header, Repaired, Started
from ...harmony import Event as ParserEvent
from ..events import (
    AnswerDelta,
    AnswerPartial,
    Event,
    EventPosition,
    PreambleDelta,
    ReasoningDelta,
    ToolCallArgumentsDelta,
    ToolCallStarted,
    TurnRepaired,
)
from ..output import PartialAnswer


class EventTranslator:
    """Translates the parser events of one turn, and follows a typed answer while it grows."""

    def __init__(self, call_id: str, partial: PartialAnswer | None = None) -> None:
        self._call_id = call_id
        self._partial = partial

    def translate(self, event: ParserEvent, position: EventPosition) -> list[Event]:
        """Return what a parser event means to observers; [] if nothing."""
        match event:
            case Delta(header=header, text=text) if header.role == "assistant":
                return self._delta(header, text, position)
            case Started(header=header) if header.is_call:
                recipient = header.recipient or ""
                return [ToolCallStarted(**position, call_id=self._call_id, recipient=recipient)]
            case Repaired(kind=kind, detail=detail):
                return [TurnRepaired(**position, repair=kind, detail=detail)]
            case _:
                return []

    def _delta(self, header: Header, text: str, position: EventPosition) -> list[Event]:
        if header.is_call:
            return [ToolCallArgumentsDelta(**position, call_id=self._call_id, text=text)]
        if header.channel == "final":
            return self._answer_delta(text, position)
        # An unknown channel may have reasoning, so it is treated as reasoning.
        if header.channel == "commentary":
            return [PreambleDelta(**position, text=text)]
        return [ReasoningDelta(**position, text=text)]

    def _answer_delta(self, text: str, position: EventPosition) -> list[Event]:
        delta = AnswerDelta(**position, text=text)
        value = None if self._partial is None else self._partial.feed(text)
        return [delta] if value is None else [delta, AnswerPartial(**position, value=value)]

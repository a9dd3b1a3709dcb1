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
    """Tells the events of one turn; a typed answer as a value, too, as far as it has come."""

    def __init__(self, growing: PartialAnswer | None = None) -> None:
        self._growing = growing

    def of(self, event: ParserEvent, stamp: EventPosition) -> list[Event]:
        """What an event of the parser means to whoever watches the run."""
        told = narrate(event, stamp)
        if told is None:
            return []
        if self._growing is None or not isinstance(told, AnswerDelta):
            return [told]
        value = self._growing.feed(told.text)
        return [told] if value is None else [told, AnswerPartial(**stamp, value=value)]


def narrate(event: ParserEvent, stamp: EventPosition) -> Event | None:
    """What an event of the parser means to whoever watches the run; None if it means nothing."""
    match event:
        case Started(header=header) if _is_call(header):
            return ToolCallStarted(**stamp, recipient=header.recipient or "")
        case Delta(header=header, text=text) if header.role == "assistant":
            return _delta(header)(**stamp, text=text)
        case Repaired(kind=kind, detail=detail):
            return TurnRepaired(**stamp, repair=kind, detail=detail)
        case _:
            return None


def _is_call(header: Header) -> bool:
    return header.role == "assistant" and header.recipient is not None


def _delta(
    header: Header,
) -> type[ToolCallArgumentsDelta | AnswerDelta | PreambleDelta | ReasoningDelta]:
    if _is_call(header):
        return ToolCallArgumentsDelta
    if header.channel == "final":
        return AnswerDelta
    # An unknown channel may hold reasoning; what may be reasoning is treated as such.
    return PreambleDelta if header.channel == "commentary" else ReasoningDelta

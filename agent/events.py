"""What happens in a run, as typed events in the order it happens.

Each event is a frozen pydantic model with a `kind` of its own, so that a log of them reads back by
`TypeAdapter(Event)`. Reasoning is a kind of its own: no other event holds any of it, but for
`RunFinished`, whose result is the whole run.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypedDict

from pydantic import BaseModel, ConfigDict, Field

from ..harmony import Delta, Header, Repaired, Started
from ..harmony import Event as ParserEvent
from .partial import PartialAnswer
from .result import RunResult, Usage


class Stamp(TypedDict):
    """Where in a run an event belongs."""

    run_id: str
    step: int
    at_s: float


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    run_id: str
    step: int
    """Which turn of the model; from 1."""
    at_s: float
    """Seconds since the run began."""


class StepStarted(_Event):
    """The engine is about to be asked for a turn."""

    kind: Literal["step_started"] = "step_started"
    prompt_tokens: int


class ReasoningDelta(_Event):
    """A piece of the chain of thought. Not for end users."""

    kind: Literal["reasoning_delta"] = "reasoning_delta"
    text: str


class PreambleDelta(_Event):
    """A piece of what the model says to the user before it acts."""

    kind: Literal["preamble_delta"] = "preamble_delta"
    text: str


class CallStarted(_Event):
    """The model has begun to write a call."""

    kind: Literal["call_started"] = "call_started"
    recipient: str
    """Whom it calls, such as `functions.get_weather` or `python`."""


class CallArgumentsDelta(_Event):
    """A piece of a call's arguments: JSON, or the code for `python`."""

    kind: Literal["call_arguments_delta"] = "call_arguments_delta"
    text: str


class CallAnswered(_Event):
    """A tool has answered."""

    kind: Literal["call_answered"] = "call_answered"
    recipient: str
    text: str
    """What the model reads."""
    failed: bool
    seconds: float


class AnswerDelta(_Event):
    """A piece of the final answer, as it is written."""

    kind: Literal["answer_delta"] = "answer_delta"
    text: str


class AnswerPartial(_Event):
    """The answer so far as a value, where the output is typed: told when it has grown."""

    kind: Literal["answer_partial"] = "answer_partial"
    value: Any
    """What has come, of the asked types; dicts of the fields that have come stand for models."""


class AnswerRejected(_Event):
    """The answer was not of the asked type; the model is told why and tries again."""

    kind: Literal["answer_rejected"] = "answer_rejected"
    reason: str


class TurnRepaired(_Event):
    """The parser has mended what the model wrote."""

    kind: Literal["turn_repaired"] = "turn_repaired"
    repair: str
    detail: str


class TurnDiscarded(_Event):
    """A turn led to neither a call nor an answer, and is sampled again."""

    kind: Literal["turn_discarded"] = "turn_discarded"
    reason: str


class PromptTrimmed(_Event):
    """The run has outgrown the model's window: some of it is no longer shown to the model."""

    kind: Literal["prompt_trimmed"] = "prompt_trimmed"
    before: int
    """Tokens of the prompt."""
    after: int


class LimitReached(_Event):
    """A limit was reached; the model is asked for an answer of what it knows."""

    kind: Literal["limit_reached"] = "limit_reached"
    limit: str
    """The field of `Limits`."""
    reason: str


class StepFinished(_Event):
    """A turn and its call, if it made one, are done."""

    kind: Literal["step_finished"] = "step_finished"
    usage: Usage
    """Of this step alone."""


class RunFinished(_Event):
    """The run is done; always the last event."""

    kind: Literal["run_finished"] = "run_finished"
    result: RunResult[Any]


Event = Annotated[
    StepStarted
    | ReasoningDelta
    | PreambleDelta
    | CallStarted
    | CallArgumentsDelta
    | CallAnswered
    | AnswerDelta
    | AnswerPartial
    | AnswerRejected
    | TurnRepaired
    | TurnDiscarded
    | PromptTrimmed
    | LimitReached
    | StepFinished
    | RunFinished,
    Field(discriminator="kind"),
]
"""Whatever happens in a run."""


class Narrator:
    """Tells the events of one turn; a typed answer as a value, too, as far as it has come."""

    def __init__(self, growing: PartialAnswer | None = None) -> None:
        self._growing = growing

    def of(self, event: ParserEvent, stamp: Stamp) -> list[Event]:
        """What an event of the parser means to whoever watches the run."""
        told = narrate(event, stamp)
        if told is None:
            return []
        if self._growing is None or not isinstance(told, AnswerDelta):
            return [told]
        value = self._growing.feed(told.text)
        return [told] if value is None else [told, AnswerPartial(**stamp, value=value)]


def narrate(event: ParserEvent, stamp: Stamp) -> Event | None:
    """What an event of the parser means to whoever watches the run; None if it means nothing."""
    match event:
        case Started(header=header) if _is_call(header):
            return CallStarted(**stamp, recipient=header.recipient or "")
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
) -> type[CallArgumentsDelta | AnswerDelta | PreambleDelta | ReasoningDelta]:
    if _is_call(header):
        return CallArgumentsDelta
    if header.channel == "final":
        return AnswerDelta
    # An unknown channel may hold reasoning; what may be reasoning is treated as such.
    return PreambleDelta if header.channel == "commentary" else ReasoningDelta

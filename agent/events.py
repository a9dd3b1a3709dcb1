"""What happens in a run, as typed events in the order it happens.

Each event is a frozen pydantic model with a `kind` of its own, so that a log of them reads back by
`TypeAdapter(Event)`. Reasoning is a kind of its own: no other event holds any of it, but for
`RunFinished`, whose result is the whole run.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypedDict

from pydantic import BaseModel, ConfigDict, Field

from .result import RunResult
from .usage import Usage


class EventPosition(TypedDict):
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


class ToolCallStarted(_Event):
    """The model has begun to write a call."""

    kind: Literal["tool_call_started"] = "tool_call_started"
    recipient: str
    """Whom it calls, such as `functions.get_weather` or `python`."""


class ToolCallArgumentsDelta(_Event):
    """A piece of a call's arguments: JSON, or the code for `python`."""

    kind: Literal["tool_call_arguments_delta"] = "tool_call_arguments_delta"
    text: str


class ToolCallFinished(_Event):
    """A tool has answered."""

    kind: Literal["tool_call_finished"] = "tool_call_finished"
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
    | ToolCallStarted
    | ToolCallArgumentsDelta
    | ToolCallFinished
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

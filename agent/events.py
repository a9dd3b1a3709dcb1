"""What happens in a run, as typed events in the order it happens.

Each event is a frozen pydantic model with its own `kind`, so a log of events reads back with
`TypeAdapter(Event)`. Only `ReasoningDelta` carries reasoning, apart from `RunFinished`, whose
result has the whole run.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypedDict

from pydantic import BaseModel, ConfigDict, Field

from .result import RunResult
from .usage import Usage


class EventPosition(TypedDict):
    """The place of an event in its run."""

    run_id: str
    step: int
    at_s: float


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    run_id: str
    step: int
    """The number of the step, from 1; 0 before the first."""
    at_s: float
    """Seconds since the run started."""


class RunStarted(_Event):
    """The run starts or continues; always the first event."""

    kind: Literal["run_started"] = "run_started"
    is_resumed: bool = False
    """Whether the run continues from its journal."""


class StepStarted(_Event):
    """The engine is about to sample a turn."""

    kind: Literal["step_started"] = "step_started"
    prompt_tokens: int


class ReasoningDelta(_Event):
    """A piece of the chain of thought. Not for end users."""

    kind: Literal["reasoning_delta"] = "reasoning_delta"
    text: str


class PreambleDelta(_Event):
    """A piece of what the model tells the user before it calls a tool."""

    kind: Literal["preamble_delta"] = "preamble_delta"
    text: str


class ToolCallStarted(_Event):
    """The model has started to write a tool call."""

    kind: Literal["tool_call_started"] = "tool_call_started"
    call_id: str
    """Unique in a journal: `<run_id>-<step>`. The other events about this call have the same."""
    recipient: str
    """The tool, such as `functions.get_weather` or `python`."""


class ToolCallArgumentsDelta(_Event):
    """A piece of a tool call's arguments: JSON, or source code for `python`."""

    kind: Literal["tool_call_arguments_delta"] = "tool_call_arguments_delta"
    call_id: str
    text: str


class ToolCallReady(_Event):
    """A tool call is complete, and its tool runs next."""

    kind: Literal["tool_call_ready"] = "tool_call_ready"
    call_id: str
    recipient: str
    arguments: str
    """JSON, or source code for `python`."""


class ToolCallsDropped(_Event):
    """The model wrote more tool calls in one turn. Only the first one runs.

    The model wrote the others without knowing its result, and it does not see them again.
    """

    kind: Literal["tool_calls_dropped"] = "tool_calls_dropped"
    recipients: tuple[str, ...]
    """The tools of the dropped calls."""


class ToolCallFinished(_Event):
    """A tool call has its result."""

    kind: Literal["tool_call_finished"] = "tool_call_finished"
    call_id: str
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
    """The answer so far as a value, if the output has a type; sent whenever it has grown."""

    kind: Literal["answer_partial"] = "answer_partial"
    value: Any
    """Values of the output type; models are dicts of the fields that are there so far."""


class AnswerRejected(_Event):
    """The answer does not match the output type; the model reads why and tries again."""

    kind: Literal["answer_rejected"] = "answer_rejected"
    reason: str


class TurnRepaired(_Event):
    """The parser repaired something that the model wrote."""

    kind: Literal["turn_repaired"] = "turn_repaired"
    repair: str
    detail: str


class TurnDiscarded(_Event):
    """A turn had neither a tool call nor an answer, and is sampled again."""

    kind: Literal["turn_discarded"] = "turn_discarded"
    reason: str


class PromptTrimmed(_Event):
    """The run has outgrown the model's window, so the model is no longer shown all of it."""

    kind: Literal["prompt_trimmed"] = "prompt_trimmed"
    before: int
    """Tokens of the prompt before trimming."""
    after: int
    """Tokens of the prompt after trimming."""


class LimitReached(_Event):
    """The run reached a limit; the model is asked to answer with what it knows."""

    kind: Literal["limit_reached"] = "limit_reached"
    limit: str
    """The field of `Limits`."""
    reason: str


class StepFinished(_Event):
    """A turn and its tool call, if it has one, are done."""

    kind: Literal["step_finished"] = "step_finished"
    usage: Usage
    """The usage of this step alone."""


class RunFinished(_Event):
    """The run has its output; always the last event of a run that succeeds."""

    kind: Literal["run_finished"] = "run_finished"
    result: RunResult[Any]


Event = Annotated[
    RunStarted
    | StepStarted
    | ReasoningDelta
    | PreambleDelta
    | ToolCallStarted
    | ToolCallArgumentsDelta
    | ToolCallReady
    | ToolCallsDropped
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
"""Anything that happens in a run."""

DELTAS = (ReasoningDelta, PreambleDelta, ToolCallArgumentsDelta, AnswerDelta, AnswerPartial)
"""The events that arrive while text is written; all others mark a point in the run."""

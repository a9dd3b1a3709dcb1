"""What an agent is, apart from how it is run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Generic

from typing_extensions import TypeVar

from ..harmony import ReasoningEffort
from ..tools import Tool, Toolbox
from .context import READ_TOOL_RESULT_TOOL, ContextPolicy, TrimContext
from .engines import Engine, Sampling
from .journal import Journal
from .limits import Limits
from .output import OutputFormat, OutputSpec

OutputT = TypeVar("OutputT", default=str)


@dataclass(frozen=True)
class AgentConfig(Generic[OutputT]):
    """The fields of an `Agent`: immutable, and shared by all its runs."""

    engine: Engine
    instructions: str | None = field(default=None, kw_only=True)
    """What the model is to be and do; the developer message."""
    tools: Sequence[Tool | Callable[..., Any]] = field(default=(), kw_only=True)
    """What it may call. A plain function is offered as by `@tool`."""
    output_type: OutputSpec[OutputT] = field(default=str, kw_only=True)  # type: ignore[assignment]
    """What the answer is to be: `str`, any type that pydantic knows, asked for as JSON, or a
    function that makes the output of arguments the model fills in. A list lets the model choose."""
    reasoning: ReasoningEffort = field(default="medium", kw_only=True)
    reasoning_budget: int | None = field(default=None, kw_only=True)
    """Tokens of reasoning in a turn. Where no grammar holds it to that, the next header is written
    for the model."""
    grammar: bool = field(default=True, kw_only=True)
    """Hold every turn to its grammar: a malformed one cannot be sampled then."""
    limits: Limits = field(default=Limits(), kw_only=True)
    sampling: Sampling = field(default=Sampling(), kw_only=True)
    output_retries: int = field(default=2, kw_only=True)
    """How often an answer of the wrong type goes back to the model."""
    turn_retries: int = field(default=2, kw_only=True)
    """How many turns that led nowhere are sampled again."""
    context: ContextPolicy | None = field(default=TrimContext(), kw_only=True)
    """What the model is shown when the run outgrows its window; None: the engine says that it does
    not fit."""
    journal: Journal | None = field(default=None, kw_only=True)
    """Where runs are written down as they go: `SQLiteJournal()`, and they survive their process."""
    today: date | None = field(default=None, kw_only=True)
    """The date that the model is told; None is today's."""
    output_format: OutputFormat[OutputT] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Read once: what cannot be offered to a model is told here, and costs a run nothing.
        object.__setattr__(self, "tools", Toolbox(self.tools).tools)
        if self.context is not None:
            Toolbox((*self.tools, READ_TOOL_RESULT_TOOL))
        object.__setattr__(self, "output_format", OutputFormat[OutputT](self.output_type))

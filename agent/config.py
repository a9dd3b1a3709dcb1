"""The settings of an agent, apart from the ways to run it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Generic, Literal, get_args

from typing_extensions import TypeVar

from ..harmony import ReasoningEffort
from ..tools import RunContext, Tool, Toolbox, check_method, check_parameters
from .context import READ_TOOL_RESULT_TOOL, ContextPolicy, TrimContext
from .engines import Engine, Sampling
from .hooks import HOOK_METHODS, Hook
from .journal import Journal
from .limits import Limits
from .output import OutputFormat, OutputSpec
from .settings import check_choice, check_number, check_type

_WRITE_ENGINE = "pass what samples tokens, such as VLLMEngine({!r})"
_WRITE_JOURNAL = 'write SQLiteJournal("runs.db"), for example'
OutputT = TypeVar("OutputT", default=str)


@dataclass(frozen=True)
class AgentConfig(Generic[OutputT]):
    """The fields of an `Agent`: immutable, and shared by all of its runs."""

    engine: Engine
    """What samples tokens: a `VLLMEngine`, a `LocalVLLM`, or your own."""
    instructions: str | Callable[[RunContext[Any]], str | Awaitable[str]] | None = field(
        default=None, kw_only=True
    )
    """Who the model is and what it should do; the developer message. Or a function that returns it
    when a run starts, plain or async, from the run's context: its deps and its id."""
    tools: Sequence[Tool | Callable[..., Any]] = field(default=(), kw_only=True)
    """What the model can call. A plain function is a tool as if it had `@tool`."""
    output_type: OutputSpec[OutputT] = field(default=str, kw_only=True)  # type: ignore[assignment]
    """The type of the output: `str`, any type that pydantic knows (requested as JSON), or a
    function that builds the output from its arguments. With a list, the model chooses."""
    reasoning: ReasoningEffort = field(default="medium", kw_only=True)
    """How much the model thinks before it acts."""
    reasoning_budget: int | None = field(default=None, kw_only=True)
    """Maximum number of reasoning tokens in a turn. Without a grammar, ossia ends the reasoning and
    writes the next header for the model."""
    grammar: bool = field(default=True, kw_only=True)
    """Constrain every turn with a grammar, so that a malformed turn cannot be sampled."""
    limits: Limits = field(default=Limits(), kw_only=True)
    """What one run may use: steps, tokens, seconds and calls."""
    sampling: Sampling = field(default=Sampling(), kw_only=True)
    """Temperature, seed and the like."""
    hooks: Sequence[Hook] = field(default=(), kw_only=True)
    """Code of yours that sees, changes or stops what happens in a run, in this order."""
    output_retries: int = field(default=2, kw_only=True)
    """How often the model may correct an answer that does not match the output type."""
    turn_retries: int = field(default=2, kw_only=True)
    """How often in a row an unusable turn is sampled again."""
    on_tool_error: Literal["report", "raise"] = field(default="report", kw_only=True)
    """What happens after a bug in a tool: any exception except ToolError and ToolRetry. "report":
    the model reads that the call failed, and the result has a warning. "raise": the run ends with
    the exception."""
    context: ContextPolicy | None = field(default=TrimContext(), kw_only=True)
    """What the model is shown when the run outgrows its window; None raises ContextLengthError."""
    journal: Journal | None = field(default=None, kw_only=True)
    """Where runs are recorded while they run. With `SQLiteJournal()` they survive their process."""
    today: date | None = field(default=None, kw_only=True)
    """The date in the prompt; None means today."""
    output_format: OutputFormat[OutputT] = field(init=False, repr=False, compare=False)
    """How outputs are described and validated; made from `output_type`."""

    def __post_init__(self) -> None:
        # Validate everything once, when the agent is built.
        self._check_settings()
        object.__setattr__(self, "tools", Toolbox(self.tools).tools)
        if self.context is not None:
            Toolbox((*self.tools, READ_TOOL_RESULT_TOOL))
        object.__setattr__(self, "output_format", OutputFormat[OutputT](self.output_type))

    def _check_settings(self) -> None:
        check_type("the engine", self.engine, Engine, _WRITE_ENGINE.format(self.engine))
        if callable(self.instructions):
            check_parameters("instructions", self.instructions, 1, "def instructions(context)")
        elif self.instructions is not None:
            check_type("instructions", self.instructions, str, "give text, or a function")
        check_choice("Agent(reasoning=...)", self.reasoning, get_args(ReasoningEffort))
        check_number(
            "Agent(reasoning_budget=...)", self.reasoning_budget, least=0, none_means="no limit"
        )
        check_type("limits", self.limits, Limits, "write Limits(steps=10), for example")
        check_type("sampling", self.sampling, Sampling, "write Sampling(seed=7), for example")
        check_choice("Agent(on_tool_error=...)", self.on_tool_error, ("report", "raise"))
        check_method(self.engine, Engine.generate)
        for hook in self.hooks:
            check_type("a hook", hook, Hook, "hooks are objects of subclasses of Hook")
            for method in HOOK_METHODS:
                check_method(hook, method)
        if self.context is not None:
            check_method(self.context, ContextPolicy.reserve)
            check_method(self.context, ContextPolicy.trim)
        for name in ("output_retries", "turn_retries"):
            check_number(f"Agent({name}=...)", getattr(self, name), least=0)
        if self.journal is not None:
            check_type("the journal", self.journal, Journal, _WRITE_JOURNAL)

"""Hooks: code of yours that sees, changes or stops what happens in a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..tools import ToolCall, ToolResult
from .engines import TurnRequest
from .events import Event


@dataclass(frozen=True, slots=True)
class Refusal:
    """A hook's decision against a tool call, a tool result or an output."""

    reason: str
    """Why; the model reads it."""


class Hook:
    """The base class of hooks; override the methods you need.

    Hooks run in the order in which the agent lists them, and each sees the changes of those before
    it. Whatever a hook raises ends the run; raise GuardrailTripped to stop a run on purpose.

        class Budget(Hook):
            async def before_tool_call(self, call: ToolCall) -> ToolCall | Refusal | None:
                if call.name == "functions.buy":
                    return Refusal("buying is not allowed today")
                return None
    """

    async def on_event(self, event: Event) -> None:
        """Observe an event. The run waits for it, so it must return quickly."""

    async def before_turn(self, request: TurnRequest) -> TurnRequest | None:
        """Return a changed request, or None to keep it.

        Sampling, grammar and reasoning budget may change. A change of the prompt is a ValueError.
        """

    async def before_tool_call(self, call: ToolCall) -> ToolCall | Refusal | None:
        """Return a changed call, a Refusal, or None to keep the call.

        The transcript keeps the call as the model wrote it; the tool runs the changed one.
        """

    async def after_tool_call(
        self, call: ToolCall, result: ToolResult
    ) -> ToolResult | Refusal | None:
        """Return a changed result, a Refusal, or None to keep it.

        Only the change reaches the journal and the model. After a Refusal, the model reads the
        reason in place of the result.
        """

    async def before_output(self, output: Any) -> Any | Refusal | None:
        """Return a changed output, a Refusal, or None to keep it.

        After a Refusal, the model corrects its answer, as often as `Agent.output_retries` allows.
        """


HOOK_METHODS = (
    Hook.on_event,
    Hook.before_turn,
    Hook.before_tool_call,
    Hook.after_tool_call,
    Hook.before_output,
)
"""The methods that a hook can override."""

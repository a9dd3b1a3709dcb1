"""The hooks of a run, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...tools import ToolCall, ToolResult
from ..engines import TurnRequest
from ..hooks import Hook, Refusal


@dataclass(frozen=True, slots=True)
class HookChain:
    """Passes a value through all hooks; each gets what the one before it returned.

    A Refusal ends the chain. Raises TypeError if a hook returns something that its method does not
    allow.
    """

    hooks: Sequence[Hook]

    async def before_turn(self, request: TurnRequest) -> TurnRequest:
        """Return the request as the hooks change it. A changed prompt is a ValueError."""
        for hook in self.hooks:
            changed = await hook.before_turn(request)
            if changed is None:
                continue
            _check_type(hook.before_turn, changed, TurnRequest)
            same = changed.prompt is request.prompt or list(changed.prompt) == list(request.prompt)
            if not same:
                raise ValueError(
                    f"{_name(hook.before_turn)} changed the prompt, which would differ from the "
                    "run's transcript; say what the model should know in the task, the "
                    "instructions or a tool result"
                )
            request = changed
        return request

    async def before_tool_call(self, call: ToolCall) -> ToolCall | Refusal:
        """Return the call as the hooks change it, or why it does not run."""
        for hook in self.hooks:
            changed = await hook.before_tool_call(call)
            if isinstance(changed, Refusal):
                return changed
            if changed is None:
                continue
            _check_type(hook.before_tool_call, changed, ToolCall, " or a Refusal")
            call = changed
        return call

    async def after_tool_call(self, call: ToolCall, result: ToolResult) -> ToolResult | Refusal:
        """Return the result as the hooks change it, or why it is withheld."""
        for hook in self.hooks:
            changed = await hook.after_tool_call(call, result)
            if isinstance(changed, Refusal):
                return changed
            if changed is None:
                continue
            _check_type(hook.after_tool_call, changed, ToolResult, " or a Refusal")
            result = changed
        return result

    async def before_output(self, output: Any) -> Any | Refusal:
        """Return the output as the hooks change it, or why it is not accepted."""
        for hook in self.hooks:
            changed = await hook.before_output(output)
            if isinstance(changed, Refusal):
                return changed
            output = output if changed is None else changed
        return output


def _check_type(method: Any, value: object, expected: type, other: str = "") -> None:
    if not isinstance(value, expected):
        raise TypeError(
            f"{_name(method)} returned a value of type {type(value).__name__}; return a changed "
            f"{expected.__name__}{other}, or None to keep it"
        )


def _name(method: Any) -> str:
    return str(method.__qualname__)

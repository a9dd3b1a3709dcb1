"""Context policies: what the prompt leaves out when a run outgrows the model's context window.

Only the prompt changes. The run's messages and its journal keep everything.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from ...harmony import Message
from ...tools import FUNCTIONS
from .read_tool_result import READ_TOOL_RESULT, ReadTool, make_placeholder

Replacements = Mapping[int, Message | None]
"""Replacement by index of a message in the run; None removes the message from the prompt."""


@runtime_checkable
class Windowed(Protocol):
    """An engine that knows the context window of its model."""

    async def window(self) -> int | None:
        """Return the tokens that prompt and turn may have together; None if unknown."""
        ...


@dataclass(frozen=True, slots=True)
class Context:
    """A run whose prompt has become too long."""

    messages: tuple[Message, ...]
    """All messages of the run."""
    sizes: tuple[int, ...]
    """Tokens of each message in the prompt; 0 if it was removed."""
    opening_count: int
    """Number of messages that the run started with: system, developer and task."""
    replacements: Replacements
    """Replacements that are already in the prompt."""
    window: int
    """Tokens that prompt and turn may have together."""
    ask: Callable[[str], Awaitable[str]]
    """Asks the model a question about the whole prompt, to write a summary for example."""
    read_tool: ReadTool = READ_TOOL_RESULT
    """Name of the function by which the model reads a tool result that was left out."""

    @property
    def used_tokens(self) -> int:
        """Tokens of the whole prompt."""
        return sum(self.sizes)

    @property
    def tool_results(self) -> list[int]:
        """Indexes of the tool results."""
        return [at for at, message in enumerate(self.messages) if message.role == "tool"]

    def placeholder(self, at: int) -> Message:
        """Return the line that replaces the tool result at an index and says how to read it."""
        return make_placeholder(
            self.messages[at],
            number=self.tool_results.index(at) + 1,
            tokens=self.sizes[at],
            read_tool=self.read_tool,
        )


class ContextPolicy(Protocol):
    """A rule that decides what to leave out of the prompt."""

    def reserve(self, window: int) -> int:
        """Return the tokens to keep free for the next turn. With fewer, the loop calls `trim`."""
        ...

    async def trim(self, context: Context) -> Replacements:
        """Return replacements for messages; none if there is nothing to leave out.

        The run continues if its prompt fits then. Otherwise it ends with ContextLengthError.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TrimContext(ContextPolicy):
    """The default policy: leave out the oldest tool results, then have the model summarize.

    A change in the middle of the prompt invalidates the engine's prefix cache from there on.
    Therefore this policy leaves out much at a time, and does so rarely.
    """

    reserve_tokens: int | None = None
    """Tokens to keep free for the next turn; None: a quarter of the window, at most 8,192."""
    target: float = 0.5
    """Fraction of the window that the prompt may fill after trimming."""
    keep_recent: int = 3
    """Number of most recent tool calls whose results stay and are not summarized."""
    summarize: bool = True
    """Whether the model writes a summary if leaving out tool results is not enough."""

    def reserve(self, window: int) -> int:
        """Return the tokens to keep free for the next turn."""
        return min(window // 4, 8192) if self.reserve_tokens is None else self.reserve_tokens

    async def trim(self, context: Context) -> Replacements:
        """Leave out tool results, oldest first, until the target is met; else summarize."""
        replacements, used = self._leave_out_results(context)
        if used <= context.window * self.target or not self.summarize:
            return replacements
        first, end = context.opening_count, self._first_recent(context)
        if end - first < 2:
            return replacements
        summary = await context.ask(SUMMARIZE)
        count = sum(at < end for at in context.tool_results)
        hint = READ_HINT.format(count=count, functions=FUNCTIONS, read_tool=context.read_tool)
        message = Message("user", f"{SUMMARY}{hint if count else ''}\n\n{summary}")
        recent = {at: replacement for at, replacement in replacements.items() if at >= end}
        return {**dict.fromkeys(range(first, end)), first: message, **recent}

    def _leave_out_results(self, context: Context) -> tuple[dict[int, Message | None], int]:
        """Return placeholders for tool results and the approximate size of the prompt then."""
        replacements: dict[int, Message | None] = {}
        used = context.used_tokens
        for at in context.tool_results[: -self.keep_recent or None]:
            if used <= context.window * self.target:
                break
            size = context.sizes[at]
            if at in context.replacements or size <= PLACEHOLDER_TOKENS:
                continue
            replacements[at] = context.placeholder(at)
            used -= size - PLACEHOLDER_TOKENS
        return replacements, used

    def _first_recent(self, context: Context) -> int:
        """Return the index after the last tool result that is not recent."""
        results = context.tool_results[: -self.keep_recent or None]
        return results[-1] + 1 if results else context.opening_count


PLACEHOLDER_TOKENS = 64
"""Upper bound of a placeholder's tokens. A result of this size or less is not worth leaving out."""
SUMMARIZE = (
    "The context window is almost full. Your next message will replace the work so far. Summarize "
    "everything that is needed to continue: the task, what was done, what was found (numbers, "
    "names and addresses in full), which files exist, and what remains to be done. Be brief."
)
SUMMARY = "Summary of the work so far, written by you to save space."
READ_HINT = " Call {functions}.{read_tool} to read tool results 1 to {count}."

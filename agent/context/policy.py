"""What the model is shown when a run has outgrown its window.

Only the prompt changes, never the record: a run's messages and its journal keep everything.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from ...harmony import Message
from .read_tool_result import left_out

Shown = Mapping[int, Message | None]
"""By a message's index in the run: what stands in its place; None leaves it out."""


@runtime_checkable
class Windowed(Protocol):
    """An engine that knows its model's window."""

    async def window(self) -> int | None:
        """Tokens of prompt and turn together; None if it does not know."""
        ...


@dataclass(frozen=True, slots=True)
class Context:
    """A run whose prompt has grown too long."""

    messages: tuple[Message, ...]
    """The whole run."""
    sizes: tuple[int, ...]
    """Tokens that each of them takes in the prompt; 0 for what is left out of it."""
    fixed: int
    """How many of the first messages are the system's, the developer's and the task."""
    shown: Shown
    """What stands in the place of messages already."""
    window: int
    ask: Callable[[str], Awaitable[str]]
    """Has the model answer a question about all it is shown: for a summary."""

    @property
    def used(self) -> int:
        """Tokens of the prompt, all together."""
        return sum(self.sizes)

    @property
    def outputs(self) -> list[int]:
        """The indices of what tools have said."""
        return [at for at, message in enumerate(self.messages) if message.role == "tool"]

    def left_out(self, at: int) -> Message:
        """What to show for the output at an index: a line by which the model can get it back."""
        number = self.outputs.index(at) + 1
        return left_out(self.messages[at], number, self.sizes[at])


class ContextPolicy(Protocol):
    """Decides what the model is shown no more."""

    def reserve(self, window: int) -> int:
        """Tokens to be kept free for the next turn; with fewer, `trim` is asked."""
        ...

    async def trim(self, context: Context) -> Shown:
        """What to show from now on in the place of messages; nothing where there is no way.

        The run goes on if its prompt fits then; otherwise it ends with ContextLengthError.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TrimContext(ContextPolicy):
    """Leaves out the oldest tool outputs; where that is not enough, the model sums up.

    An engine's prefix cache ends where the prompt changes. So this takes out much at once, and
    seldom, rather than a little at every step.
    """

    reserve_tokens: int | None = None
    """Kept free for the next turn; None: a quarter of the window, 8,192 at the most."""
    target: float = 0.5
    """How full the window may be afterwards."""
    recent: int = 3
    """How many of the last calls keep their outputs, and are not summed up."""
    summarise: bool = True

    def reserve(self, window: int) -> int:
        """Tokens to be kept free for the next turn."""
        return min(window // 4, 8192) if self.reserve_tokens is None else self.reserve_tokens

    async def trim(self, context: Context) -> Shown:
        """Leave out outputs, the oldest first, until the target is met; or sum up what was done."""
        shown, used = self._without_outputs(context)
        if used <= context.window * self.target or not self.summarise:
            return shown
        first, end = context.fixed, self._kept_from(context)
        if end - first < 2:
            return shown
        summary = await context.ask(SUM_UP)
        count = sum(at < end for at in context.outputs)
        way_back = STILL_THERE.format(count=count) if count else ""
        told = Message("user", f"{SUMMED_UP}{way_back}\n\n{summary}")
        shown = {at: message for at, message in shown.items() if at >= end}
        return {**dict.fromkeys(range(first, end)), first: told, **shown}

    def _without_outputs(self, context: Context) -> tuple[dict[int, Message | None], int]:
        """What stands for tool outputs that are left out, and about how full the window is then."""
        shown: dict[int, Message | None] = {}
        used = context.used
        for at in context.outputs[: -self.recent or None]:
            if used <= context.window * self.target:
                break
            size = context.sizes[at]
            if at in context.shown or size <= SHORT_TOKENS:
                continue
            shown[at] = context.left_out(at)
            used -= size - SHORT_TOKENS
        return shown, used

    def _kept_from(self, context: Context) -> int:
        """Where the last calls begin: after the output before them."""
        outputs = context.outputs[: -self.recent or None]
        return outputs[-1] + 1 if outputs else context.fixed


SHORT_TOKENS = 64
"""What an output must take to be worth leaving out; the line in its place takes less."""
SUM_UP = (
    "The context is almost full, and the work so far will be replaced by what you write now. Write "
    "down, as briefly as you can, all that is needed to go on: what was asked, what was done, what "
    "was found (numbers, names and addresses in full), which files there are, what is left."
)
SUMMED_UP = "The work so far, summed up by yourself to save room."
STILL_THERE = " What the tools said, outputs 1 to {count}, functions.read_tool_result shows again."

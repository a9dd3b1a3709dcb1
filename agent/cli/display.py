"""A run on the terminal: reasoning dimmed, calls and their answers, the answer, what it cost."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from ..events import (
    AnswerDelta,
    AnswerRejected,
    Event,
    PreambleDelta,
    ReasoningDelta,
    RunFinished,
    ToolCallArgumentsDelta,
    ToolCallFinished,
    ToolCallStarted,
    TurnDiscarded,
    TurnRepaired,
)
from ..result import RunResult
from .sanitize import sanitize

_STREAMED = {
    ReasoningDelta: "dim italic",
    PreambleDelta: "",
    ToolCallArgumentsDelta: "cyan",
    AnswerDelta: "bold",
}
"""What is written piece by piece, and how it looks."""
MAX_OUTPUT_LINES = 20
"""How much of a tool's answer is shown; the model reads all of it."""


class Display:
    """Writes a run's events to a console as they come.

    What comes from the model and from tools is written as plain text: no markup, and no control
    characters that a terminal would obey.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._open: type[Event] | None = None
        """The kind of text that the cursor stands behind; None at the start of a line."""

    def show(self, event: Event) -> None:
        """Write what an event tells."""
        match event:
            case ReasoningDelta() | PreambleDelta() | ToolCallArgumentsDelta() | AnswerDelta():
                self._stream(event)
            case ToolCallStarted(recipient=recipient):
                self._line(f"→ {recipient}", "bold cyan")
            case ToolCallFinished():
                self._answered(event)
            case AnswerRejected(reason=reason):
                self._line(f"✗ not accepted, asked again: {reason}", "yellow")
            case TurnDiscarded(reason=reason):
                self._line(f"✗ turn sampled again: {reason}", "yellow")
            case TurnRepaired(repair=repair):
                self._line(f"~ repaired: {repair}", "dim yellow")
            case RunFinished(result=result):
                self._line(cost(result), "dim")
            case _:
                return

    def _stream(
        self, event: ReasoningDelta | PreambleDelta | ToolCallArgumentsDelta | AnswerDelta
    ) -> None:
        """Write a piece of running text; another kind of text begins a new line."""
        if type(event) is not self._open:
            self._break()
            self._open = type(event)
        self._print(event.text, _STREAMED[type(event)], end="")

    def _line(self, text: str, style: str) -> None:
        self._break()
        self._print(text, style)

    def _answered(self, event: ToolCallFinished) -> None:
        lines = event.text.splitlines() or ["(nothing)"]
        more = len(lines) - MAX_OUTPUT_LINES
        style = "red" if event.failed else "green"
        for line in lines[:MAX_OUTPUT_LINES]:
            self._line(f"← {line}", style)
        if more > 0:
            self._line(f"← … {more} more lines", "dim")

    def _break(self) -> None:
        if self._open:
            self._console.print()
            self._open = None

    def _print(self, text: str, style: str, end: str = "\n") -> None:
        self._console.print(Text(sanitize(text), style=style), end=end, soft_wrap=True)


def cost(result: RunResult[object]) -> str:
    """One line: steps, tokens, how many of them were cached, seconds."""
    usage = result.usage
    cached = "" if usage.cached_tokens is None else f" ({usage.cached_tokens:,} cached)"
    return (
        f"{_count(usage.steps, 'step')} · {_count(usage.tool_calls, 'call')} · "
        f"{usage.prompt_tokens:,} prompt tokens{cached} · {usage.sampled_tokens:,} sampled · "
        f"{result.seconds:.1f} s"
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"

"""The hooks that show a run: on a terminal, as JSON lines, as the answer alone."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import TypeAdapter
from rich.console import Console
from rich.text import Text

from ..events import (
    AnswerDelta,
    AnswerRejected,
    Event,
    LimitReached,
    PreambleDelta,
    PromptTrimmed,
    ReasoningDelta,
    RunFinished,
    ToolCallArgumentsDelta,
    ToolCallFinished,
    ToolCallsDropped,
    ToolCallStarted,
    TurnDiscarded,
    TurnRepaired,
)
from ..hooks import Hook
from ..result import RunResult
from .sanitize import sanitize

_STREAMED = {
    ReasoningDelta: "dim italic",
    PreambleDelta: "",
    ToolCallArgumentsDelta: "cyan",
    AnswerDelta: "bold",
}
"""The events whose text is written as it comes, with their styles."""
MAX_RESULT_LINES = 20
"""How much of a tool result is shown; the model reads all of it."""

_events: TypeAdapter[Event] = TypeAdapter(Event)


class ConsoleDisplay(Hook):
    """Writes a run to a console as it happens: reasoning, tool calls, their results, the answer.

    Text from the model and from tools is written without markup and without control characters.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._streaming: type[Event] | None = None
        """The kind of text before the cursor; None at the start of a line."""

    async def on_event(self, event: Event) -> None:
        """Write an event."""
        match event:
            case ReasoningDelta() | PreambleDelta() | ToolCallArgumentsDelta() | AnswerDelta():
                self._write_delta(event)
            case ToolCallStarted(recipient=recipient):
                self._write_line(f"→ {recipient}", "bold cyan")
            case ToolCallFinished():
                self._write_result(event)
            case RunFinished():
                self._end_line()
            case _:
                for notice, style in _notices(event):
                    self._write_line(notice, style)

    def _write_delta(
        self, event: ReasoningDelta | PreambleDelta | ToolCallArgumentsDelta | AnswerDelta
    ) -> None:
        """Write a piece of text; another kind of text starts a new line."""
        if type(event) is not self._streaming:
            self._end_line()
            self._streaming = type(event)
        self._print(event.text, _STREAMED[type(event)], end="")

    def _write_line(self, text: str, style: str) -> None:
        self._end_line()
        self._print(text, style)

    def _write_result(self, event: ToolCallFinished) -> None:
        lines = event.text.splitlines() or ["(nothing)"]
        more = len(lines) - MAX_RESULT_LINES
        style = "red" if event.failed else "green"
        for line in lines[:MAX_RESULT_LINES]:
            self._write_line(f"← {line}", style)
        if more > 0:
            self._write_line(f"← … {more} more lines", "dim")

    def _end_line(self) -> None:
        if self._streaming:
            self._console.print()
            self._streaming = None

    def _print(self, text: str, style: str, end: str = "\n") -> None:
        self._console.print(Text(sanitize(text), style=style), end=end, soft_wrap=True)


class UsageLine(Hook):
    """Writes one line at the end of a run: steps, calls, tokens, seconds."""

    def __init__(self, console: Console) -> None:
        self._console = console

    async def on_event(self, event: Event) -> None:
        """Write the line when the run has finished."""
        if isinstance(event, RunFinished):
            self._console.print(usage_line(event.result), style="dim", soft_wrap=True)


class JsonLines(Hook):
    """Writes every event to stdout as a line of JSON."""

    async def on_event(self, event: Event) -> None:
        """Write an event."""
        print(_events.dump_json(event).decode(), flush=True)  # noqa: T201 - the command's output


class AnswerOnly(Hook):
    """Writes only the answer to stdout."""

    async def on_event(self, event: Event) -> None:
        """Write the answer when the run has finished."""
        if isinstance(event, RunFinished):
            print(event.result.output)  # noqa: T201 - the command's output


def usage_line(result: RunResult[object]) -> str:
    """Return a run's steps, calls, tokens and seconds as one line."""
    usage = result.usage
    cached = "" if usage.cached_tokens is None else f" ({usage.cached_tokens:,} cached)"
    return (
        f"{_count(usage.steps, 'step')} · {_count(usage.tool_calls, 'call')} · "
        f"{usage.prompt_tokens:,} prompt tokens{cached} · {usage.sampled_tokens:,} sampled · "
        f"{result.seconds:.1f} s"
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _notices(event: Event) -> Iterator[tuple[str, str]]:
    """Yield the line that reports an event, with its style; nothing for most events."""
    match event:
        case ToolCallsDropped(recipients=recipients):
            yield f"✗ only the first call runs; dropped: {', '.join(recipients)}", "yellow"
        case AnswerRejected(reason=reason):
            yield f"✗ answer not accepted, trying again: {reason}", "yellow"
        case TurnDiscarded(reason=reason):
            yield f"✗ turn discarded, sampling again: {reason}", "yellow"
        case TurnRepaired(repair=repair):
            yield f"~ repaired: {repair}", "dim yellow"
        case LimitReached(reason=reason):
            yield f"✗ {reason}; asking for an answer now", "yellow"
        case PromptTrimmed(before=before, after=after):
            yield f"~ prompt trimmed: {before:,} → {after:,} tokens", "dim yellow"
        case _:
            return

"""The border between the loop and whatever a model can call."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from ..harmony import Message, ToolNamespace
from .context import RunContext


@dataclass(frozen=True, slots=True)
class Result:
    """What a tool gives back for the model to read."""

    text: str
    failed: bool = False
    """The text tells of a failure; for whoever watches the run, the model only reads the text."""
    files: tuple[str, ...] = ()
    """Files the text names, as the model would open them."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one call."""

    message: Message
    """The tool's message, ready for the transcript."""
    failed: bool
    seconds: float
    files: tuple[str, ...] = ()


class OpenTool(Protocol):
    """A tool during one run: it may hold state, and answers the run's calls."""

    async def answer(self, call: Message, context: RunContext[Any]) -> Result:
        """Do what the call asks; raise ToolError with what the model should read, if it failed."""
        ...


@runtime_checkable
class Tool(Protocol):
    """Something a model can call: a description without state, which many runs may share."""

    @property
    def namespace(self) -> ToolNamespace:
        """How the model sees it; functions live in the namespace `functions`."""
        ...

    @property
    def sequential(self) -> bool:
        """Whether its calls wait for the other sequential calls of the run."""
        return False

    def offered(self, context: RunContext[Any]) -> bool:  # noqa: ARG002 - for those who choose
        """Whether the model may call it now."""
        return True

    def open(self) -> AbstractAsyncContextManager[OpenTool]:
        """Enter it for one run, and leave it when the run ends."""
        ...

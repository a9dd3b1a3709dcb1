"""The border between the loop and whatever a model can call."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from ..harmony import Message, ToolNamespace
from .citations import Citation
from .context import RunContext


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that a tool made for the model or the user."""

    name: str
    """A plain file name, without folders."""
    data: bytes


@dataclass(frozen=True, slots=True)
class ToolReturn:
    """What a tool gives back for the model to read; a function may return one, too."""

    text: str
    failed: bool = False
    """The text tells of a failure; for whoever watches the run, the model only reads the text."""
    files: tuple[str, ...] = ()
    """Files the text names, as the model would open them."""
    attached: tuple[Attachment, ...] = ()
    """Files to be kept; the model is told where they are."""


@dataclass(frozen=True, slots=True)
class ToolResult:
    """The result of one tool call."""

    message: Message
    """The tool's message, ready for the transcript."""
    failed: bool
    seconds: float
    files: tuple[str, ...] = ()
    """Files that the call left behind: paths in the sandbox (/mnt/data/...) or on this machine."""
    error: BaseException | None = None
    """The exception that the tool raised, if it raised one: a ToolError or an unexpected one."""


class OpenTool(Protocol):
    """A tool during one run: it may hold state, and answers the run's calls."""

    async def call(self, call: Message, context: RunContext[Any]) -> ToolReturn:
        """Do what the call asks.

        Raises ToolError or ToolRetry with what the model should read, if it failed; SandboxError
        if the run cannot go on. Anything else is taken for a mistake in the tool.
        """
        ...


@runtime_checkable
class FileStore(Protocol):
    """An open tool with a place for files that the model can reach."""

    async def keep(self, name: str, data: bytes) -> str:
        """Store a file; returns its path as the model would open it."""
        ...

    async def fetch(self, path: str) -> bytes:
        """Read a file back. Raises SandboxError if it is not there, or too large."""
        ...


@runtime_checkable
class Stateful(Protocol):
    """An open tool with a state that a run which is taken up again needs."""

    def changes(self) -> Any:
        """What has changed since this was last asked, as JSON; None if nothing has."""
        ...

    def restore(self, changes: Sequence[Any]) -> None:
        """Be as the tool was that told of all these changes, in their order."""
        ...


@runtime_checkable
class CitationSource(Protocol):
    """An open tool that shows pages, and knows what an answer points at in them."""

    def citations(self, answer: str) -> tuple[Citation, ...]:
        """Every mark in the answer that looks like a citation, in order."""
        ...


@runtime_checkable
class Tool(Protocol):
    """Something a model can call: a description without state, which many runs may share.

    Subclass it to get the defaults; `namespace` and `open` are what a tool has to say itself.
    """

    @property
    def namespace(self) -> ToolNamespace:
        """How the model sees it; functions live in the namespace `functions`."""
        ...

    @property
    def sequential(self) -> bool:
        """Whether its calls wait for the other sequential calls of the run."""
        return False

    @property
    def idempotent(self) -> bool:
        """Whether a call that was interrupted may simply be made again."""
        return False

    def is_available(self, context: RunContext[Any]) -> bool:  # noqa: ARG002 - most tools always are
        """Whether the model may call it now."""
        return True

    def open(self) -> AbstractAsyncContextManager[OpenTool]:
        """Enter it for one run, and leave it when the run ends."""
        ...


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool call whose recipient has been resolved; see `Toolbox.resolve`."""

    message: Message
    """The call, with the recipient corrected if the model misspelled it."""
    name: str
    """The name to count and log: the recipient, or what the model wrote instead."""
    recipient: str | None = None
    """The recipient; None if there is no such tool."""
    tool: Tool | None = None

    @property
    def idempotent(self) -> bool:
        """Whether an interrupted call can be repeated safely."""
        return self.tool is None or self.tool.idempotent

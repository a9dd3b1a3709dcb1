"""The interface between the agent's loop and everything that a model can call."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

from ..errors import ToolError
from ..harmony import Message, ToolNamespace
from .citations import Citation

Deps = TypeVar("Deps")


@dataclass(frozen=True, slots=True)
class RunContext(Generic[Deps]):
    """The run that a call belongs to.

    A function tool receives it if its first parameter is annotated with it.
    """

    deps: Deps
    """What the caller passed to the run for its tools: a database, a user, a client."""
    run_id: str = ""
    step: int = 0
    """The step of the run, from 1; 0 before the first step."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that a tool made for the model or the user."""

    name: str
    """A plain file name, without folders."""
    data: bytes


@dataclass(frozen=True, slots=True)
class ToolReturn:
    """What a tool gives back. A function tool may return one too."""

    text: str
    """What the model reads."""
    failed: bool = False
    """Whether the call failed. For observers of the run: the model only reads the text."""
    files: tuple[str, ...] = ()
    """Files that the text names, with paths that the model can open."""
    attachments: tuple[Attachment, ...] = ()
    """Files to store. The model reads where they are."""


@dataclass(frozen=True, slots=True)
class ToolResult:
    """The result of one tool call."""

    message: Message
    """The tool's message, ready for the transcript."""
    failed: bool
    seconds: float
    files: tuple[str, ...] = ()
    """Files that the call created: paths in the sandbox (/mnt/data/...) or on this machine."""
    error: BaseException | None = None
    """The exception that the tool raised, if it raised one: a ToolError or an unexpected one."""

    @property
    def bug(self) -> BaseException | None:
        """The exception, if it is not one that a tool raises for the model to read."""
        return None if isinstance(self.error, ToolError) else self.error


class OpenTool(Protocol):
    """A tool during one run. It may have state."""

    async def call(self, call: Message, context: RunContext[Any]) -> ToolReturn:
        """Run one tool call.

        Raises ToolError or ToolRetry with the text for the model if the call failed, and
        SandboxError if the run cannot continue. Any other exception is a bug in the tool: the
        model reads only that the call failed.
        """
        ...


@runtime_checkable
class FileStore(Protocol):
    """An open tool that stores files where the model can open them."""

    async def write_file(self, name: str, data: bytes) -> str:
        """Write a file, and return the path under which the model can open it."""
        ...

    async def read_file(self, path: str) -> bytes:
        """Read a file. Raises SandboxError if it does not exist or is too large."""
        ...


@runtime_checkable
class Stateful(Protocol):
    """An open tool whose state must survive if the run is resumed in another process."""

    def changes(self) -> Any:
        """Return what has changed since the last call of this method, as JSON; None if nothing."""
        ...

    def restore(self, changes: Sequence[Any]) -> None:
        """Replay the changes, in order, to restore the tool's state."""
        ...


@runtime_checkable
class CitationSource(Protocol):
    """An open tool that shows pages, and finds the citations of them in an answer."""

    def citations(self, answer: str) -> tuple[Citation, ...]:
        """Return every mark in the answer that looks like a citation, in order."""
        ...


@runtime_checkable
class Tool(Protocol):
    """Something a model can call: a description without state, which many runs can share.

    Subclass it to get the defaults. A subclass must define `namespace` and `open`.
    """

    @property
    def namespace(self) -> ToolNamespace:
        """How the tool is described to the model. Functions are in the namespace `functions`."""
        ...

    @property
    def sequential(self) -> bool:
        """Whether its calls wait for the other sequential calls of the run."""
        return False

    @property
    def idempotent(self) -> bool:
        """Whether an interrupted call can be repeated safely."""
        return False

    def is_available(self, context: RunContext[Any]) -> bool:  # noqa: ARG002 - most tools always are
        """Return whether the model may call the tool now."""
        return True

    def open(self) -> AbstractAsyncContextManager[OpenTool]:
        """Open the tool for one run; it is closed when the run ends."""
        ...


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool call whose recipient has been resolved; see `Toolbox.resolve`."""

    message: Message
    """The call, with the recipient corrected if the model misspelled it."""
    name: str
    """The name to count: the recipient, or what the model wrote instead."""
    recipient: str | None = None
    """The recipient; None if there is no such tool."""
    tool: Tool | None = None

    @property
    def idempotent(self) -> bool:
        """Whether an interrupted call can be repeated safely."""
        return self.tool is None or self.tool.idempotent

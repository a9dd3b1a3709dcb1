"""The tools of one run. Every failure of a tool becomes a result that the model can read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import Any, Self

import anyio

from ..errors import SandboxError, ToolError
from ..harmony import Message, ToolDescription, ToolNamespace
from ..sandbox import get_logger
from .artifacts import DATA_FOLDER, ArtifactStore, find_file_store
from .cancellation import is_failure
from .citations import Citation
from .functions import as_tool
from .protocol import (
    CitationSource,
    OpenTool,
    RunContext,
    Stateful,
    Tool,
    ToolCall,
    ToolResult,
    ToolReturn,
)
from .recipients import (
    FUNCTIONS,
    find_recipient,
    index_by_recipient,
    recipients_of,
    unknown_tool_error,
)

log = get_logger("ossia.tools")

_CHANNELS = frozenset({"analysis", "commentary"})
# A name that the model made up is used in a header or the log only if it looks like a tool's name.
_NAME = re.compile(r"[A-Za-z_][\w-]{0,63}\.[\w-]{1,64}", re.ASCII)

MAX_CHARS = 40_000
"""About 10,000 tokens: the part of the model's window that one tool result may fill."""


class Toolbox:
    """The tools of one run, opened when the run starts and closed when it ends.

    tools: tools, or plain functions, which become tools as with `@tool`.
    deps: passed to each tool's `enabled`, which decides whether it is available in this run.
    folder: where files are stored if no tool stores files; None means a temporary folder.
    max_chars: maximum length of a tool result. Of a longer one, the model reads the beginning and
        the end, and where the full text is.

    Raises ToolDefinitionError if two tools have the same name, or a function cannot be a tool.
    """

    def __init__(
        self,
        tools: Iterable[Tool | Callable[..., Any]],
        *,
        deps: Any = None,
        folder: Path | None = None,
        max_chars: int = MAX_CHARS,
    ) -> None:
        self.tools: tuple[Tool, ...] = tuple(as_tool(tool) for tool in tools)
        """Every tool, available or not."""
        self._tools = index_by_recipient(self.tools)
        self._context = RunContext(deps)
        self._folder = folder
        self._max_chars = max_chars
        self._sequential = anyio.Lock()
        self._stack = AsyncExitStack()
        self._open: dict[int, OpenTool] = {}
        self._entered = False
        self._artifacts: ArtifactStore | None = None

    @property
    def available(self) -> tuple[ToolNamespace, ...]:
        """The namespaces of all tools that the model can call now, in the order of the tools."""
        return tuple(tool.namespace for tool in self.tools if tool.is_available(self._context))

    @property
    def functions(self) -> tuple[ToolDescription, ...]:
        """The functions that the developer message declares."""
        return tuple(
            function
            for namespace in self.available
            if namespace.name == FUNCTIONS
            for function in namespace.tools
        )

    @property
    def namespaces(self) -> tuple[ToolNamespace, ...]:
        """The namespaces that the system message declares: all tools that are not functions."""
        return tuple(space for space in self.available if space.name != FUNCTIONS)

    @property
    def recipients(self) -> tuple[str, ...]:
        """The names that a call can be addressed to."""
        return tuple(name for space in self.available for name in recipients_of(space))

    async def __aenter__(self) -> Self:
        if self._artifacts is not None:
            raise RuntimeError("a Toolbox lasts for one run: create another one for the next run")
        async with AsyncExitStack() as stack:
            for tool in self.tools:
                self._open[id(tool)] = await stack.enter_async_context(tool.open())
            self._stack = stack.pop_all()
        self._artifacts = ArtifactStore(
            find_file_store(self._open.values()), self._folder, self._max_chars
        )
        self._entered = True
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._entered = False
        await self._stack.__aexit__(kind, error, traceback)

    def resolve(self, message: Message) -> ToolCall:
        """Find the tool that a call is addressed to."""
        written = message.recipient or ""
        recipient = find_recipient(written, self._tools)
        if recipient is None:
            return ToolCall(message, name=written)
        message = replace(message, recipient=recipient)
        return ToolCall(message, recipient, recipient, self._tools[recipient])

    async def call(
        self, call: Message | ToolCall, context: RunContext[Any] | None = None
    ) -> ToolResult:
        """Run one tool call.

        call: the model's message, or what `resolve` made of it.
        context: what the tool may know about the run. None: only the toolbox's own deps.

        A failed call has a result too: `failed` is true, and `error` is the exception that the
        tool raised. A CancelledError is a failure of the tool if nobody cancelled this task, and a
        GeneratorExit always is.

        Raises SandboxError if the run has lost its sandbox. Cancellation of this task, SystemExit
        and KeyboardInterrupt pass through unchanged.
        """
        if self._artifacts is None or not self._entered:
            raise RuntimeError("enter the Toolbox to call its tools: async with Toolbox(...)")
        if isinstance(call, Message):
            call = self.resolve(call)
        started = perf_counter()
        files: tuple[str, ...] = ()
        error: BaseException | None = None
        try:
            try:
                returned = await self._run(call, context or self._context)
            except ToolError as raised:
                returned, error = ToolReturn(f"Error: {raised}", failed=True), raised
            text, files = await self._artifacts.store(returned, call.name.rpartition(".")[2])
            failed = returned.failed
        except SandboxError:
            raise
        except BaseException as raised:
            if not is_failure(raised):
                raise
            text, failed, error = f"Error: {call.name} failed unexpectedly", True, raised
        result = ToolResult(_message(text, call), failed, perf_counter() - started, files, error)
        _log(result)
        return result

    def refuse(self, call: ToolCall, reason: str) -> ToolResult:
        """Return the result of a call that does not run, or whose result is withheld."""
        message = _message(f"Error: {reason}", call)
        log.info("tool_call_refused", tool=message.name)
        return ToolResult(message, failed=True, seconds=0.0)

    async def read(self, path: str) -> bytes:
        """Read a file that a tool result named. Works until the run ends.

        Raises SandboxError or OSError if the file no longer exists.
        """
        assert self._artifacts is not None, "files come from tool results: enter the Toolbox first"
        return await self._artifacts.read(path)

    async def restore_files(self, files: Mapping[str, bytes]) -> None:
        """Write the files of an earlier process, by path, into the sandbox of this run.

        Files are skipped if no tool stores files.

        Raises SandboxError if they do not fit.
        """
        store = find_file_store(self._open.values())
        for path, data in files.items():
            if store is not None and path.startswith(DATA_FOLDER):
                await store.write_file(path.removeprefix(DATA_FOLDER), data)

    def citations(self, answer: str) -> tuple[Citation, ...]:
        """Return the citations in the model's answer, in order, from all tools that show pages."""
        sources = (tool for tool in self._open.values() if isinstance(tool, CitationSource))
        found = (citation for source in sources for citation in source.citations(answer))
        return tuple(sorted(found, key=lambda citation: citation.span))

    def changes(self) -> dict[str, Any]:
        """Return what has changed in the tools' states since the last call, by namespace."""
        states = ((name, tool.changes()) for name, tool in self._stateful())
        return {name: changes for name, changes in states if changes is not None}

    def restore(self, changes: Mapping[str, Sequence[Any]]) -> None:
        """Restore the tools' states from all `changes` of an earlier process, by namespace."""
        for name, tool in self._stateful():
            tool.restore(changes.get(name, ()))

    async def _run(self, call: ToolCall, context: RunContext[Any]) -> ToolReturn:
        """Run the tool. Raises ToolError if it is unknown, not available, or fails."""
        if call.tool is None:
            raise ToolError(unknown_tool_error(call.name, self.recipients))
        if not call.tool.is_available(context):
            raise ToolError(f"{call.recipient} is not available now")
        opened = self._open[id(call.tool)]
        if not call.tool.sequential:
            return await opened.call(call.message, context)
        async with self._sequential:
            return await opened.call(call.message, context)

    def _stateful(self) -> Iterator[tuple[str, Stateful]]:
        for tool in self.tools:
            opened = self._open[id(tool)]
            if isinstance(opened, Stateful):
                yield tool.namespace.name, opened


def _log(result: ToolResult) -> None:
    """Log one line per call, without anything that was sent or returned."""
    fields = dict[str, str]()
    if result.bug is not None:
        fields["error"] = type(result.bug).__name__  # its text may have arguments or keys
    log.info(
        "tool_call_finished",
        tool=result.message.name,
        seconds=round(result.seconds, 3),
        chars=len(result.message.text),
        failed=result.failed,
        **fields,
    )


def _message(text: str, call: ToolCall) -> Message:
    """Return the tool's message, in the channel of the call if tools may use that channel."""
    name = call.recipient or (call.name if _NAME.fullmatch(call.name) else FUNCTIONS)
    channel = call.message.channel
    if channel not in _CHANNELS:
        channel = "commentary" if name.partition(".")[0] == FUNCTIONS else "analysis"
    return Message("tool", text, name=name, channel=channel, recipient="assistant")

"""The tools of one run, and the place where every failure becomes words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import Any, Self, cast

import anyio

from ..errors import SandboxError, ToolError
from ..harmony import Message, ToolDescription, ToolNamespace
from ..sandbox import get_logger
from .artifacts import ArtifactStore, find_file_store
from .cancellation import is_cancelled
from .citations import Citation
from .context import RunContext
from .functions import as_tool
from .protocol import CitationSource, OpenTool, Stateful, Tool, ToolCall, ToolResult, ToolReturn
from .recipients import FUNCTIONS, by_recipient, find_recipient, recipients_of, unknown_tool

log = get_logger("ossia.tools")

_CHANNELS = frozenset({"analysis", "commentary"})
# A name the model made up goes into a header only if it looks like a tool's.
_NAME = re.compile(r"[A-Za-z_][\w-]{0,63}\.[\w-]{1,64}", re.ASCII)

DATA = "/mnt/data/"
"""Where files lie that are in a sandbox."""
MAX_CHARS = 40_000
"""About 10,000 tokens: what one answer may take of the model's window."""


class Toolbox:
    """The tools of one run: entered when it begins, left when it ends.

    tools: tools, or plain functions, which are taken as `@tool` would take them.
    deps: of the run, for tools that are offered only to some.
    folder: for files, if no tool has a place for them; None: a temporary one.
    max_chars: of an answer; of a longer one, the model reads both ends, and where the whole is.

    Raises ToolDefinitionError if two tools claim one name, or one cannot be offered.
    """

    def __init__(
        self,
        tools: Iterable[Tool | Callable[..., Any]],
        *,
        deps: Any = None,
        folder: Path | None = None,
        max_chars: int = MAX_CHARS,
    ) -> None:
        self.tools: tuple[Tool, ...] = tuple(as_tool(one) for one in tools)
        """Every tool, offered or not."""
        self._tools = by_recipient(self.tools)
        self._context = RunContext(deps)
        self._folder = folder
        self._max_chars = max_chars
        self._sequential = anyio.Lock()
        self._stack = AsyncExitStack()
        self._open: dict[int, OpenTool] = {}
        self._entered = False
        self._artifacts: ArtifactStore | None = None

    @property
    def functions(self) -> tuple[ToolDescription, ...]:
        """What the developer message declares."""
        return tuple(
            described
            for space in self._offered()
            if space.name == FUNCTIONS
            for described in space.tools
        )

    @property
    def namespaces(self) -> tuple[ToolNamespace, ...]:
        """What the system message declares: all that are no functions."""
        return tuple(space for space in self._offered() if space.name != FUNCTIONS)

    @property
    def recipients(self) -> tuple[str, ...]:
        """What a call may be addressed to."""
        return tuple(name for space in self._offered() for name in recipients_of(space))

    async def __aenter__(self) -> Self:
        if self._artifacts is not None:
            raise RuntimeError("a Toolbox serves one run: make another for the next")
        async with AsyncExitStack() as stack:
            for one in self.tools:
                self._open[id(one)] = await stack.enter_async_context(one.open())
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

        A failed call has a result like any other: `failed` is true, and `error` is the exception
        that the tool raised. So is a CancelledError that the tool raised although nobody cancelled
        this task, and a GeneratorExit.

        Raises SandboxError if the run has lost its sandbox. Cancellation, SystemExit and
        KeyboardInterrupt pass through unchanged.
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
            if not _is_failure(raised):
                raise
            text, failed, error = f"Error: {call.name} failed unexpectedly", True, raised
        result = ToolResult(_message(text, call), failed, perf_counter() - started, files, error)
        _log(result)
        return result

    def refuse(self, call: ToolCall, reason: str) -> ToolResult:
        """Return the result of a call that is not run."""
        return ToolResult(_message(f"Error: {reason}", call), failed=True, seconds=0.0)

    async def read(self, path: str) -> bytes:
        """The contents of a file that an answer named, for as long as the run lasts.

        Raises SandboxError or OSError if it is not there any more.
        """
        assert self._artifacts is not None, (
            "files come from answers, and answers from an open Toolbox"
        )
        return await self._artifacts.read(path)

    async def put_back(self, files: Mapping[str, bytes]) -> None:
        """Give the run the files of an earlier process, by their paths.

        They go into the sandbox; where no tool has a place for files, they are left out.

        Raises SandboxError if there is no room for them.
        """
        keeper = find_file_store(self._open.values())
        for path, data in files.items():
            if keeper is not None and path.startswith(DATA):
                await keeper.keep(path.removeprefix(DATA), data)

    def citations(self, answer: str) -> tuple[Citation, ...]:
        """What the model's answer points at in what the tools have shown it."""
        citing = (one for one in self._open.values() if isinstance(one, CitationSource))
        found = (citation for one in citing for citation in one.citations(answer))
        return tuple(sorted(found, key=lambda citation: citation.span))

    def changes(self) -> dict[str, Any]:
        """What has changed in the tools' states since this was last asked, by namespace."""
        states = ((name, opened.changes()) for name, opened in self._stateful())
        return {name: changes for name, changes in states if changes is not None}

    def restore(self, changes: Mapping[str, Sequence[Any]]) -> None:
        """Give the tools the states that those of an earlier run had, from all its `changes`."""
        for name, opened in self._stateful():
            opened.restore(changes.get(name, ()))

    async def _run(self, call: ToolCall, context: RunContext[Any]) -> ToolReturn:
        """Run the tool. Raises ToolError if it is unknown, not available, or fails."""
        if call.tool is None:
            raise ToolError(unknown_tool(call.name, self.recipients))
        if not call.tool.is_available(context):
            raise ToolError(f"{call.recipient} is not available now")
        opened = self._open[id(call.tool)]
        if not call.tool.sequential:
            return await opened.call(call.message, context)
        async with self._sequential:
            return await opened.call(call.message, context)

    def _stateful(self) -> Iterator[tuple[str, Stateful]]:
        for one in self.tools:
            opened = self._open[id(one)]
            if isinstance(opened, Stateful):
                yield one.namespace.name, opened

    def _offered(self) -> Iterator[ToolNamespace]:
        return (one.namespace for one in self.tools if one.is_available(self._context))


def _is_failure(error: BaseException) -> bool:
    """Return whether an unexpected exception is a failure of the tool; others end the run."""
    if isinstance(error, Exception):
        return True
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        return all(map(_is_failure, group.exceptions))
    return not is_cancelled() and isinstance(
        error, (GeneratorExit, anyio.get_cancelled_exc_class())
    )


def _log(result: ToolResult) -> None:
    """Log one line per call, without anything that was sent or returned."""
    error, fields = result.error, dict[str, str]()
    if error is not None and not isinstance(error, ToolError):
        fields["error"] = type(error).__name__  # its text may have arguments or keys
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

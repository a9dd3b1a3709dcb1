"""The tools of one run, and the place where every failure becomes words."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import replace
from difflib import get_close_matches
from time import perf_counter
from types import TracebackType
from typing import Any, Self

import structlog
from anyio import Lock

from ..errors import SandboxError, ToolDefinitionError, ToolError
from ..harmony import Message, ToolDescription, ToolNamespace
from .context import RunContext
from .contract import Answer, OpenTool, Result, Tool
from .function import FUNCTIONS, FunctionTool

log = structlog.get_logger()


class Toolbox:
    """The tools of one run: entered when it begins, left when it ends.

    tools: tools, or plain functions, which are taken as `@tool` would take them.
    deps: what a call's context carries when `answer` is given none.

    Raises ToolDefinitionError if two tools claim one name, or a tool cannot be offered.
    """

    def __init__(self, tools: Iterable[Tool | Callable[..., Any]], *, deps: Any = None) -> None:
        self.tools: tuple[Tool, ...] = tuple(_as_tool(one) for one in tools)
        self._context = RunContext(deps)
        self._tools: dict[str, Tool] = {}
        for one in self.tools:
            for recipient in _recipients(one.namespace):
                if recipient in self._tools:
                    raise ToolDefinitionError(f"two tools are called {recipient!r}; rename one")
                self._tools[recipient] = one
        self._open: dict[int, OpenTool] = {}
        self._stack = AsyncExitStack()
        self._turn = Lock()

    @property
    def functions(self) -> tuple[ToolDescription, ...]:
        """What the developer message declares."""
        return tuple(
            described
            for one in self._offered()
            if one.namespace.name == FUNCTIONS
            for described in one.namespace.tools
        )

    @property
    def namespaces(self) -> tuple[ToolNamespace, ...]:
        """What the system message declares: everything but the functions."""
        return tuple(one.namespace for one in self._offered() if one.namespace.name != FUNCTIONS)

    @property
    def recipients(self) -> tuple[str, ...]:
        """What a call may be addressed to."""
        return tuple(to for one in self._offered() for to in _recipients(one.namespace))

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            for one in self.tools:
                self._open[id(one)] = await stack.enter_async_context(one.open())
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._open = {}
        await self._stack.__aexit__(kind, error, traceback)

    async def answer(self, call: Message, context: RunContext[Any] | None = None) -> Answer:
        """Run one call. A failure becomes words for the model; a lost sandbox ends the run."""
        begun = perf_counter()
        recipient = self._find(call.recipient or "")
        try:
            result = await self._result(recipient, call, context or self._context)
        except ToolError as error:
            result = Result(f"Error: {error}", failed=True)
        except SandboxError:
            raise
        except Exception:
            log.exception("tool_crashed", tool=recipient)
            result = Result(f"Error: {recipient} failed unexpectedly", failed=True)
        seconds = perf_counter() - begun
        log.info("tool_answered", tool=recipient, seconds=round(seconds, 3), failed=result.failed)
        message = Message(
            "tool", result.text, name=recipient, channel=call.channel, recipient="assistant"
        )
        return Answer(message, result.failed, seconds, result.files)

    async def dispatch(self, call: Message, context: RunContext[Any] | None = None) -> Message:
        """Turn the model's call into the tool's message."""
        return (await self.answer(call, context)).message

    async def _result(self, recipient: str, call: Message, context: RunContext[Any]) -> Result:
        one = self._tools.get(recipient)
        if one is None:
            raise ToolError(self._unknown(recipient))
        call = replace(call, recipient=recipient)
        if not one.sequential:
            return await self._open[id(one)].answer(call, context)
        async with self._turn:
            return await self._open[id(one)].answer(call, context)

    def _find(self, recipient: str) -> str:
        prefixed = f"{FUNCTIONS}.{recipient}"
        return prefixed if prefixed in self._tools else recipient

    def _unknown(self, recipient: str) -> str:
        known = self.recipients
        close = get_close_matches(recipient, known)
        return f"no tool named {recipient!r}; known: {', '.join(close or known)}"

    def _offered(self) -> list[Tool]:
        return [one for one in self.tools if one.offered(self._context)]


def _as_tool(one: Tool | Callable[..., Any]) -> Tool:
    return one if isinstance(one, Tool) else FunctionTool(one)


def _recipients(namespace: ToolNamespace) -> tuple[str, ...]:
    if not namespace.tools:
        return (namespace.name,)
    return tuple(f"{namespace.name}.{described.name}" for described in namespace.tools)

"""The python tool that gpt-oss was trained with, over a sandbox."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from anyio import Lock

from ..errors import SandboxDiedError
from ..harmony import Message, ToolNamespace
from .context import RunContext
from .contract import OpenTool, Result, Tool
from .source import read_source
from .trained import PYTHON_TIMEOUT_S, python_description

if TYPE_CHECKING:
    from ..sandbox import Execution, Sandbox

    OpenSandbox = Callable[[], AbstractAsyncContextManager[Sandbox]]

SILENT = "(the code ran; it printed nothing and its last line has no value)"


@dataclass(frozen=True)
class PythonTool(Tool):
    """Python in a sandbox, a notebook that keeps its state through the run.

    sandbox: opens one, as `open_sandbox` does; each run gets its own. None: `open_sandbox`.
    timeout_s: seconds one piece of code may take; the model is told of it.
    """

    sandbox: OpenSandbox | None = None
    timeout_s: float = PYTHON_TIMEOUT_S

    @property
    def namespace(self) -> ToolNamespace:
        """The trained description; it has no functions, a call is code."""
        return ToolNamespace("python", python_description(self.timeout_s), ())

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[OpenTool]:
        """Start a sandbox for one run."""
        if self.sandbox is None:
            from ..sandbox import open_sandbox

            opened: OpenSandbox = open_sandbox
        else:
            opened = self.sandbox
        notebook = Notebook(opened, self.timeout_s)
        await notebook.start()
        try:
            yield notebook
        finally:
            await notebook.stop()


class Notebook:
    """The python tool during one run."""

    def __init__(self, opened: OpenSandbox, timeout_s: float) -> None:
        self._opened = opened
        self._timeout_s = timeout_s
        self._stack = AsyncExitStack()
        self._sandbox: Sandbox
        self._turn = Lock()

    async def start(self) -> None:
        """Open a sandbox."""
        self._sandbox = await self._stack.enter_async_context(self._opened())

    async def stop(self) -> None:
        """Close the sandbox."""
        await self._stack.aclose()

    async def answer(self, call: Message, context: RunContext[Any]) -> Result:  # noqa: ARG002
        """Run the call's code, and show what a notebook would show."""
        source = read_source(call.text)
        async with self._turn:
            try:
                done = await self._sandbox.execute(source, timeout_s=self._timeout_s)
            except SandboxDiedError:
                await self.stop()
                await self.start()
                return Result("Error: python died; its variables are lost", failed=True)
        return Result(_shown(done, self._timeout_s), done.error is not None, tuple(done.files))


def _shown(done: Execution, timeout_s: float) -> str:
    parts = [done.stdout, done.result or "", done.stderr]
    if done.error is not None:
        parts.append(done.error.traceback)
    if done.timed_out:
        parts.append(f"Error: timed out after {timeout_s} seconds")
    if done.files:
        parts.append("Files: " + ", ".join(done.files))
    return "\n".join(part.rstrip("\n") for part in parts if part) or SILENT

"""The python tool that gpt-oss was trained with, over a sandbox."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import ToolDefinitionError
from ..harmony import Message, ToolNamespace
from .context import RunContext
from .protocol import OpenTool, Tool, ToolReturn
from .source import read_source
from .trained import PYTHON_TIMEOUT_S, python_description

if TYPE_CHECKING:
    from ..sandbox import Execution, Sandbox

    OpenSandbox = Callable[[], AbstractAsyncContextManager[Sandbox]]

FORGOT = "(Python was started anew: variables and imports are gone, files in /mnt/data are there.)"
SILENT = "The code ran. It printed nothing, and its last line is no expression with a value."


@dataclass(frozen=True)
class PythonTool(Tool):
    """Python in a sandbox: a notebook that keeps its state for as long as the run lasts.

    Each run gets a sandbox of its own, and the files that other tools return lie in its /mnt/data.
    """

    sandbox: OpenSandbox | None = None
    """Opens a sandbox: `DockerSandbox`, `partial(open_sandbox, memory_mib=4096)`, `pool.acquire`.
    None: `open_sandbox`, with its defaults."""
    timeout_s: float = PYTHON_TIMEOUT_S
    """Seconds that one call may take; the model is told of it."""

    def __post_init__(self) -> None:
        if self.sandbox is not None and not callable(self.sandbox):
            raise ToolDefinitionError(
                f"PythonTool opens a sandbox for each run, and {self.sandbox!r} is one already; "
                "give what opens it: PythonTool(DockerSandbox), or a lambda"
            )

    @property
    def namespace(self) -> ToolNamespace:
        """The trained description; it has no functions, a call is code."""
        return ToolNamespace("python", python_description(self.timeout_s))

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[OpenTool]:
        """Start a sandbox for one run."""
        async with (self.sandbox or _default())() as sandbox:
            yield Notebook(sandbox, self.timeout_s)


@dataclass(slots=True)
class Notebook:
    """The python tool during one run."""

    sandbox: Sandbox
    timeout_s: float
    used: bool = False
    """Whether a cell was run since `changes` was last asked."""
    forgot: bool = False
    """Whether the model is still to be told that the variables are gone."""

    async def call(self, call: Message, context: RunContext[Any]) -> ToolReturn:  # noqa: ARG002
        """Run the call's code, and show what a notebook would show."""
        source = read_source(call.text)
        done = await self.sandbox.execute(source, timeout_s=self.timeout_s)
        self.used = True
        said = f"{FORGOT}\n{_shown(done)}" if self.forgot else _shown(done)
        self.forgot = False
        return ToolReturn(said, done.error is not None, done.files)

    def changes(self) -> bool | None:
        """Whether there is something new to lose: variables end with their process."""
        used, self.used = self.used, False
        return used or None

    def restore(self, changes: Sequence[Any]) -> None:
        """Begin anew where an earlier process had variables, and say so with the next answer."""
        self.forgot = bool(changes)

    async def keep(self, name: str, data: bytes) -> str:
        """Put a file where the code can read it."""
        await self.sandbox.put(name, data)
        return f"/mnt/data/{name}"

    async def fetch(self, path: str) -> bytes:
        """Read a file that the code has written."""
        return await self.sandbox.get(path)


def _default() -> OpenSandbox:
    from ..sandbox import open_sandbox  # heavy, and needed by nobody who brings his own

    return open_sandbox


def _shown(done: Execution) -> str:
    """Everything a notebook would show under a cell, from top to bottom."""
    parts = [done.stdout, done.stderr, done.result or ""]
    if done.error is not None:
        parts.append(done.error.traceback)
        # A traceback ends in its exception; of a deadline or a death it knows nothing.
        if done.timed_out or not done.error.traceback:
            parts.append(f"{done.error.name}: {done.error.message}")
    if done.files:
        parts.append("Files written: " + ", ".join(done.files))
    return "\n".join(part.rstrip("\n") for part in parts if part.strip()) or SILENT

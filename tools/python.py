"""The python tool that gpt-oss was trained with, running in a sandbox."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio

from ..errors import ToolDefinitionError
from ..harmony import Message, ToolNamespace
from ..sandbox import Execution, Sandbox, open_sandbox
from .artifacts import DATA_FOLDER
from .functions import unwrap
from .protocol import OpenTool, RunContext, Tool, ToolReturn
from .terminal import shown_text

OpenSandbox = Callable[[], AbstractAsyncContextManager[Sandbox]]

PYTHON_TIMEOUT_S = 120.0
"""The timeout of one call that the model was trained with."""
RESTARTED = "Python was restarted. Variables and imports are lost; files in /mnt/data are kept."
NO_OUTPUT = "The code ran without output."

_CODE_FIELDS = ("code", "script")


def python_description(timeout_s: float = PYTHON_TIMEOUT_S) -> str:
    """Return the description of the python tool, word for word as the model was trained on it.

    timeout_s: the only value that may differ. It must be true, because the model plans with it.
    Source: `SystemContent.with_python_tool` of openai-harmony 0.0.8.
    """
    return (
        "Use this tool to execute Python code in your chain of thought. The code will not be "
        "shown to the user. This tool should be used for internal reasoning, but not for code "
        "that is intended to be visible to the user (e.g. when creating plots, tables, or files)."
        "\n\n"
        "When you send a message containing Python code to python, it will be executed in a "
        "stateful Jupyter notebook environment. python will respond with the output of the "
        f"execution or time out after {timeout_s:.1f} seconds. The drive at '/mnt/data' can be "
        "used to save and persist user files. Internet access for this session is UNKNOWN. "
        "Depends on the cluster."
    )


@dataclass(frozen=True)
class PythonTool(Tool):
    """Python in a sandbox: a notebook that keeps its state until the run ends.

    Each run gets its own sandbox. Files that other tools return are stored in its /mnt/data.
    """

    sandbox: OpenSandbox | None = None
    """Opens a sandbox: `DockerSandbox`, `partial(open_sandbox, memory_mib=4096)`, `pool.acquire`.
    None: `open_sandbox`, with its defaults."""
    timeout_s: float = PYTHON_TIMEOUT_S
    """Seconds that one call may take. The model is told this number."""
    files: Mapping[str, bytes | str | Path] = field(
        default_factory=dict[str, bytes | str | Path], hash=False
    )
    """Files that are in /mnt/data when a run starts, by name: their bytes, or the path of a file on
    this machine. Say in the task or the instructions that they are there."""

    def __post_init__(self) -> None:
        for name, source in self.files.items():
            if not isinstance(source, bytes) and not Path(source).is_file():
                raise ToolDefinitionError(
                    f"PythonTool(files={{{name!r}: {str(source)!r}}}): this file does not exist. "
                    "To give the contents and not a path, pass bytes"
                )
        if self.sandbox is not None and not callable(self.sandbox):
            raise ToolDefinitionError(
                f"PythonTool opens a sandbox for each run, but {self.sandbox!r} is already a "
                "sandbox; pass what opens it: PythonTool(DockerSandbox), or a lambda"
            )

    @property
    def namespace(self) -> ToolNamespace:
        """The trained description. It has no functions: a call is code."""
        return ToolNamespace("python", python_description(self.timeout_s))

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[OpenTool]:
        """Start a sandbox for one run."""
        async with (self.sandbox or open_sandbox)() as sandbox:
            for name, source in self.files.items():
                data = source
                if not isinstance(data, bytes):
                    data = await anyio.Path(data).read_bytes()
                await sandbox.put(name.removeprefix(DATA_FOLDER), data)
            yield Notebook(sandbox, self.timeout_s)


@dataclass(slots=True)
class Notebook:
    """The python tool during one run."""

    sandbox: Sandbox
    timeout_s: float
    was_used: bool = False
    """Whether a cell was run since the last call of `changes`."""
    was_restarted: bool = False
    """Whether the model still has to be told that the variables are lost."""

    async def call(self, call: Message, context: RunContext[Any]) -> ToolReturn:  # noqa: ARG002
        """Run the code of a call, and return what a notebook would show."""
        source = read_source(call.text)
        execution = await self.sandbox.execute(source, timeout_s=self.timeout_s)
        self.was_used = True
        output = await _format(execution)
        if self.was_restarted:
            output = f"{RESTARTED}\n{output}"
            self.was_restarted = False
        return ToolReturn(output, execution.error is not None, execution.files)

    def changes(self) -> bool | None:
        """Return whether there is new state that ends with the process."""
        was_used, self.was_used = self.was_used, False
        return was_used or None

    def restore(self, changes: Sequence[Any]) -> None:
        """Tell the model with the next result if an earlier process had variables."""
        self.was_restarted = bool(changes)

    async def write_file(self, name: str, data: bytes) -> str:
        """Write a file where the code can open it, and return its path."""
        await self.sandbox.put(name, data)
        return DATA_FOLDER + name

    async def read_file(self, path: str) -> bytes:
        """Read a file that the code has written."""
        return await self.sandbox.get(path)


def read_source(text: str) -> str:
    """Return the Python source in a call: raw, fenced, or the `code` field of a JSON object."""
    source = unwrap(text)
    if not source.lstrip().startswith("{"):
        return source
    try:
        fields = json.loads(source)
    except ValueError:
        return source
    for name in _CODE_FIELDS:
        if isinstance(fields.get(name), str):
            return unwrap(fields[name])
    return source


async def _format(execution: Execution) -> str:
    """Return everything that a notebook would show below a cell, from top to bottom."""
    texts = (execution.stdout, execution.stderr, execution.result or "")
    parts = [await shown_text(text) for text in texts]
    error = execution.error
    if error is not None:
        parts.append(await shown_text(error.traceback))
        # A traceback ends with its exception, but it does not mention a timeout or a dead process.
        if execution.timed_out or not error.traceback:
            parts.append(f"{error.name}: {error.message}")
    if execution.files:
        parts.append("Files written: " + ", ".join(execution.files))
    return "\n".join(part.rstrip("\n") for part in parts if part.strip()) or NO_OUTPUT

"""The Sandbox protocol and its values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Protocol, Self

DATA_FOLDER = "/mnt/data"
"""The folder of a sandbox's files, as the code inside sees it."""

Stream = Literal["stdout", "stderr"]
OnOutput = Callable[[Stream, str], None]
"""Called with each piece of output as it arrives; it must return quickly."""


@dataclass(frozen=True, slots=True)
class ExecutionError:
    """The failure of a cell."""

    name: str
    """The exception's class; or `TimeoutError`, `InterpreterDied` or `SandboxDied`."""
    message: str
    traceback: str
    """As a notebook prints it, without ossia's own frames; empty if there is none."""


@dataclass(frozen=True, slots=True)
class Execution:
    """The outcome of one cell."""

    stdout: str
    """If it is long, the middle is omitted: a line says so, and names the file with all of it."""
    stderr: str
    result: str | None
    """The last expression, as a notebook shows it; None if there is nothing to show."""
    error: ExecutionError | None
    files: tuple[str, ...]
    """New and changed files under /mnt/data, as sorted absolute paths."""
    timed_out: bool
    duration_s: float
    state_lost: bool = False
    """Whether all variables are lost; `error.message` says why, and whether files are kept."""


@dataclass(frozen=True, slots=True)
class SandboxFile:
    """One file under /mnt/data."""

    path: str
    """Absolute, as the code inside sees it."""
    size_bytes: int


class Sandbox(Protocol):
    """An isolated notebook for untrusted code: cells share their state."""

    async def __aenter__(self) -> Self:
        """Start the sandbox."""
        ...

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Remove the sandbox and everything in it."""
        ...

    async def execute(
        self, code: str, *, timeout_s: float = 120.0, on_output: OnOutput | None = None
    ) -> Execution:
        """Run one cell.

        timeout_s: seconds until the cell is interrupted; if it does not stop, it is killed.
        on_output: called with each piece of output as it arrives.

        Raises SandboxDiedError if the sandbox died and could not be restarted.
        """
        ...

    async def put(self, path: str, data: bytes) -> None:
        """Write a file; `path` is under /mnt/data, absolute or relative to it.

        Raises SandboxPathError for a path outside /mnt/data, and if no space is left.
        """
        ...

    async def get(self, path: str, *, max_bytes: int = 64 * 1024 * 1024) -> bytes:
        """Read a file.

        Raises SandboxPathError for a path outside /mnt/data, and for a file that does not exist
        or is larger than `max_bytes`.
        """
        ...

    async def list(self) -> list[SandboxFile]:
        """Return the files under /mnt/data, sorted by path."""
        ...

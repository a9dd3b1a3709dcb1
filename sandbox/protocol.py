"""What a sandbox is to its callers: a protocol, and the values that cross it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Protocol, Self

DATA = "/mnt/data"
"""Where a sandbox's files live, as the code inside sees it."""

Stream = Literal["stdout", "stderr"]
OnOutput = Callable[[Stream, str], None]
"""Called with each piece of output as it comes; it must return quickly."""


@dataclass(frozen=True, slots=True)
class ExecutionError:
    """How a cell failed."""

    name: str
    """The exception's class; else `TimeoutError`, `InterpreterDied` or `SandboxDied`."""
    message: str
    traceback: str
    """As a notebook prints it, without frames of ours; empty where there is none."""


@dataclass(frozen=True, slots=True)
class Execution:
    """What one cell did."""

    stdout: str
    """Its middle is cut where it is long; a line in it says so, and where the whole is."""
    stderr: str
    result: str | None
    """The last expression, as a notebook shows it; None where there is nothing to show."""
    error: ExecutionError | None
    files: tuple[str, ...]
    """Files under /mnt/data that are new or changed, as absolute paths, sorted."""
    timed_out: bool
    duration_s: float
    state_lost: bool = False
    """True where variables are gone; `error.message` says why, and what became of the files."""


@dataclass(frozen=True, slots=True)
class SandboxFile:
    """One file under /mnt/data."""

    path: str
    """Absolute, as the code inside sees it."""
    size_bytes: int


class Sandbox(Protocol):
    """A place where untrusted code runs as in a notebook: state is kept from cell to cell."""

    async def __aenter__(self) -> Self:
        """Start it."""
        ...

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Take it down, with all that was in it."""
        ...

    async def execute(
        self, code: str, *, timeout_s: float = 120.0, on_output: OnOutput | None = None
    ) -> Execution:
        """Run one cell.

        timeout_s: seconds; then the cell is interrupted, and killed if that does not help.
        on_output: called with each piece of output as it comes.

        Raises SandboxDiedError where the sandbox is gone and no other can be started.
        """
        ...

    async def put(self, path: str, data: bytes) -> None:
        """Write a file; `path` is below /mnt/data, absolute or relative to it.

        Raises SandboxPathError for a path that leads elsewhere, or where there is no room.
        """
        ...

    async def get(self, path: str, *, max_bytes: int = 64 * 1024 * 1024) -> bytes:
        """Read a file.

        Raises SandboxPathError for a path that leads elsewhere, no file, or one beyond `max_bytes`.
        """
        ...

    async def list(self) -> list[SandboxFile]:
        """Return the files under /mnt/data, sorted by path."""
        ...

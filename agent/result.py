"""The result of a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Generic, TypeVar

from ..harmony import Message
from ..tools import DATA_FOLDER, Citation, document_fields
from .usage import Usage

OutputT = TypeVar("OutputT")


@document_fields
@dataclass(frozen=True, slots=True, kw_only=True)
class RunFile:
    """A file that the run's tools wrote, copied before the sandbox was removed."""

    path: str
    """The path that the model uses, for example `/mnt/data/figure-1.png`."""
    data: bytes | None = field(repr=False)
    """Contents; None if the file was deleted during the run or is too large to copy."""


@document_fields
@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult(Generic[OutputT]):
    """A finished run: its typed output, its messages, and what it used."""

    run_id: str
    """The run's id, also in its journal."""
    output: OutputT
    """The answer as the output type, without reasoning."""
    messages: tuple[Message, ...] = field(repr=False)
    """All messages of the run, including reasoning: for debugging, not for end users."""
    usage: Usage
    """Tokens, steps, tool calls and times."""
    seconds: float
    """Seconds of work on the run, summed over all processes."""
    files: tuple[RunFile, ...] = ()
    """The files that tools wrote; see `save_files`."""
    limit: str | None = None
    """The field of `Limits` that the run reached before this answer; None if it reached none."""
    warnings: tuple[str, ...] = ()
    """What went wrong without ending the run, such as tool calls that were dropped."""
    citations: tuple[Citation, ...] = ()
    """Citations in the answer, each with the page that the model read."""

    def save_files(self, folder: str | Path) -> list[Path]:
        """Write the run's files into a folder, and return their paths.

        Folders below /mnt/data are kept, and existing files are overwritten. A file that was
        deleted during the run or is too large to copy is left out.

        folder: it is created if it does not exist.

        Raises OSError.
        """
        saved: list[Path] = []
        for file in self.files:
            # A path is the model's text: no part of it may lead out of the folder.
            inside = PurePosixPath(file.path.removeprefix(DATA_FOLDER))
            parts = [part for part in inside.parts if part != ".."]
            if inside.is_absolute():
                parts = parts[-1:]
            if file.data is None or not parts:
                continue
            path = Path(folder, *parts)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(file.data)
            saved.append(path)
        return saved

"""What a run leaves behind."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, TypeVar

from ..harmony import Message
from ..tools import Citation
from .usage import Usage

OutputT = TypeVar("OutputT")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFile:
    """A file that the run's tools have written, taken out before its sandbox was taken down."""

    path: str
    """Where the model knows it: `/mnt/data/figure-1.png`."""
    data: bytes | None = field(repr=False)
    """None if it was gone by the end of the run, or too large to take out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult(Generic[OutputT]):
    """A finished run: its typed output, and everything that led to it."""

    run_id: str
    output: OutputT
    """The answer as the asked type. It holds no reasoning."""
    messages: tuple[Message, ...] = field(repr=False)
    """The whole run, the reasoning included: for debugging, not for end users."""
    usage: Usage
    seconds: float
    files: tuple[RunFile, ...] = ()
    limit: str | None = None
    """The field of `Limits` that asked for this answer, where the run had reached one."""
    citations: tuple[Citation, ...] = ()
    """What the answer points at in the pages that the model was shown."""

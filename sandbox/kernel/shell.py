"""The Shell protocol, and helpers for shells with and without IPython."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import Protocol


@dataclass(frozen=True)
class Failure:
    """The failure of a cell."""

    name: str
    message: str
    traceback: str


class Shell(Protocol):
    """An interpreter that runs cells in one namespace."""

    def run(self, code: str) -> tuple[str | None, Failure | None]:
        """Run a cell; return the text of its last expression, and its failure."""
        ...


def fail_on_input(*_: object, **__: object) -> str:
    """Replace `input`, which cannot work in a sandbox."""
    raise RuntimeError("input() is not supported. Put the value in the code")


def without_kernel_frames(frames: TracebackType | None) -> TracebackType | None:
    """Return a traceback without the kernel's own frames."""
    cell_frames: list[TracebackType] = []
    while frames is not None:
        if not frames.tb_frame.f_code.co_filename.startswith("<ossia "):
            cell_frames.append(frames)
        frames = frames.tb_next
    next_frame: TracebackType | None = None
    for frame in reversed(cell_frames):
        next_frame = TracebackType(next_frame, frame.tb_frame, frame.tb_lasti, frame.tb_lineno)
    return next_frame


def exception_text(error: BaseException | None) -> str:
    """Return an exception's message, even if its __str__ fails."""
    try:
        return str(error)
    except BaseException:  # noqa: BLE001 - an exception's __str__ is the cell's code
        return "(the message is not available)"

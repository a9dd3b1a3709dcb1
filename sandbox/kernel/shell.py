"""What a worker needs of a shell, with IPython or without."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import Protocol


@dataclass(frozen=True)
class Failure:
    """How a cell failed, in words."""

    name: str
    message: str
    traceback: str


class Shell(Protocol):
    """Runs cells one after the other, in one namespace."""

    def run(self, code: str) -> tuple[str | None, Failure | None]:
        """Run a cell; return the last expression as a notebook shows it, and how it failed."""
        ...


def no_input(*_: object, **__: object) -> str:
    """Stand in for `input`."""
    raise RuntimeError("input() does not work here: nobody can type. Put the value into the code")


def without_our_frames(frames: TracebackType | None) -> TracebackType | None:
    """Return a traceback without the kernel's own frames."""
    kept: list[TracebackType] = []
    while frames is not None:
        if not frames.tb_frame.f_code.co_filename.startswith("<ossia "):
            kept.append(frames)
        frames = frames.tb_next
    below: TracebackType | None = None
    for frame in reversed(kept):
        below = TracebackType(below, frame.tb_frame, frame.tb_lasti, frame.tb_lineno)
    return below


def words(error: BaseException | None) -> str:
    """Return an exception's message, whatever it does when asked."""
    try:
        return str(error)
    except BaseException:  # noqa: BLE001 - an exception's __str__ is the cell's code
        return "(its message cannot be shown)"

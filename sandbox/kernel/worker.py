"""The worker: runs one cell after the other, and reports how each ended."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import io
import json
import os
import random
import resource
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

from .control import Control, Request
from .figures import install_backend, save_figures
from .shell import Failure, Shell, words
from .shorten import shorten

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)
_SPARE_FD = 500
_BROKEN = 70


class _FigureError(Exception):
    """A figure that cannot be drawn or written."""


def main(blob: bytes) -> NoReturn:
    """Serve the supervisor until it goes away."""
    control = Control(int(sys.argv[3]))
    os.close(int(sys.argv[1]))
    sys.argv = [""]
    options = json.loads(blob)["options"]
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    _limit(options["rlimits"], options["cpus"])
    above = min(_SPARE_FD, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2)
    spare = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, above) for fd in (0, 1, 2)]
    signal.signal(signal.SIGINT, _ignore)
    install_backend(options["data"])
    shell = _open_shell()
    me = os.getpid()
    control.ready()
    while True:
        try:
            request = control.receive()
        except EOFError:
            os._exit(0)
        _restore(spare)
        report = _run(shell, request, control.interrupted, options["data"])
        if os.getpid() != me:
            # The cell forked, and this is the child: it has nothing to report.
            os._exit(0)
        control.report(request.nonce, json.dumps(report).encode())


def _open_shell() -> Shell:
    try:
        from .notebook import NotebookShell
    except ImportError:
        from .plain import PlainShell

        return PlainShell()
    return NotebookShell()


def _run(
    shell: Shell, request: Request, interrupted: Callable[[], bool], data: str
) -> dict[str, object]:
    result: str | None = None
    failure: Failure | None = None
    try:
        # Python's own handler leaves no frame of ours in the traceback.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if interrupted():
            signal.raise_signal(signal.SIGINT)
        result, failure = shell.run(request.code)
        _save_figures(data)
        _stop_listening()
    except (KeyboardInterrupt, _FigureError) as error:
        _stop_listening()
        failure = Failure(type(error).__name__.lstrip("_"), words(error), "")
    except BaseException:  # noqa: BLE001 - a shell tells what cells raise, and raises nothing
        os._exit(_BROKEN)
    _flush()
    cap, number = request.options["result_bytes"], request.options["number"]
    report: dict[str, object] = {"result": None, "error": None}
    if failure is not None:
        report["error"] = {
            "name": shorten(failure.name, 200),
            "message": shorten(failure.message, cap // 4),
            "traceback": shorten(failure.traceback, cap),
        }
    elif result is not None:
        report["result"] = shorten(result, cap, f"{data}/cell-{number}-result.txt")
    return report


def _save_figures(data: str) -> None:
    try:
        save_figures(data)
    except Exception as error:
        raise _FigureError(f"a figure was not saved: {words(error)}") from error


def _stop_listening() -> None:
    # Python raises what is pending before it changes the handler, and leaves it unchanged then.
    with contextlib.suppress(KeyboardInterrupt):
        signal.signal(signal.SIGINT, _ignore)
    signal.signal(signal.SIGINT, _ignore)


def _ignore(_signal: int, _frame: FrameType | None) -> None:
    """Let an interrupt pass that comes between two cells."""


def _restore(spare: list[int]) -> None:
    """Put back what the last cell may have closed or changed: descriptors, streams, signals."""
    for fd, kept in enumerate(spare):
        with contextlib.suppress(OSError):
            os.dup2(kept, fd)
            os.set_blocking(fd, True)
    # An interrupt that was held up reaches nobody: it was the last cell's.
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for name, fd in (("stdout", 1), ("stderr", 2)):
        stream = getattr(sys, name, None)
        if stream is None or getattr(stream, "closed", False):
            raw = io.FileIO(fd, "wb", closefd=False)
            setattr(sys, name, io.TextIOWrapper(raw, encoding="utf-8", write_through=True))


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    _LIBC.fflush(None)


def _limit(limits: dict[str, int], cpus: int) -> None:
    for name, value in limits.items():
        number = getattr(resource, f"RLIMIT_{name.upper()}")
        _, hard = resource.getrlimit(number)
        if hard == resource.RLIM_INFINITY or value < hard:
            resource.setrlimit(number, (value, value))
    available = sorted(os.sched_getaffinity(0))
    if 0 < cpus < len(available):
        os.sched_setaffinity(0, random.sample(available, cpus))
    # The first to go where memory runs out: the worker, not its supervisor.
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")

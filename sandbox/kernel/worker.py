"""The worker: it runs cells one after the other, and reports the outcome of each."""

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
from .matplotlib_figures import install_backend, save_figures
from .plain_shell import PlainShell
from .shell import Failure, Shell, exception_text
from .shorten import shorten

# IPython is optional and slow to import. SIGINT cannot interrupt the import: the supervisor ignores
# it, and a new process inherits that.
_open_shell: Callable[[], Shell] = PlainShell
with contextlib.suppress(ImportError):
    from .ipython_shell import IPythonShell

    _open_shell = IPythonShell

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)
_COPIES_FD = 500
_BROKEN_STATUS = 70


class _FigureError(Exception):
    """A figure that cannot be drawn or saved."""


def main(boot_data: bytes) -> NoReturn:
    """Serve the supervisor until it goes away."""
    control = Control(int(sys.argv[3]))
    os.close(int(sys.argv[1]))
    sys.argv = [""]
    options = json.loads(boot_data)["options"]
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    _apply_limits(options["rlimits"], options["cpus"])
    lowest = min(_COPIES_FD, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2)
    copies = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, lowest) for fd in (0, 1, 2)]
    signal.signal(signal.SIGINT, _ignore_signal)
    install_backend(options["data"])
    shell = _open_shell()
    # From now on, cells can import their own files.
    sys.path.insert(0, "")
    worker_pid = os.getpid()
    control.ready()
    while True:
        try:
            request = control.receive()
        except EOFError:
            os._exit(0)
        _restore_streams(copies)
        report = _run(shell, request, control.interrupted, options["data"])
        if os.getpid() != worker_pid:
            # The cell forked, and this is the child: only the parent reports.
            os._exit(0)
        control.report(request.nonce, json.dumps(report).encode())


def _run(
    shell: Shell, request: Request, interrupted: Callable[[], bool], data: str
) -> dict[str, object]:
    result: str | None = None
    failure: Failure | None = None
    try:
        # Python's default handler adds no kernel frame to the traceback.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if interrupted():
            signal.raise_signal(signal.SIGINT)
        result, failure = shell.run(request.code)
        _save_figures(data)
        _ignore_interrupts()
    except (KeyboardInterrupt, _FigureError) as error:
        _ignore_interrupts()
        failure = Failure(type(error).__name__.lstrip("_"), exception_text(error), "")
    except BaseException:  # noqa: BLE001 - a shell returns what a cell raises; this one is broken
        os._exit(_BROKEN_STATUS)
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
        raise _FigureError(f"cannot save a figure: {exception_text(error)}") from error


def _ignore_interrupts() -> None:
    # If an interrupt is pending, Python raises it here and does not change the handler.
    with contextlib.suppress(KeyboardInterrupt):
        signal.signal(signal.SIGINT, _ignore_signal)
    signal.signal(signal.SIGINT, _ignore_signal)


def _ignore_signal(_signal: int, _frame: FrameType | None) -> None:
    """Ignore an interrupt between two cells."""


def _restore_streams(copies: list[int]) -> None:
    """Restore descriptors, streams and signals that the last cell may have closed or changed."""
    for fd, copy in enumerate(copies):
        with contextlib.suppress(OSError):
            os.dup2(copy, fd)
            os.set_blocking(fd, True)
    # A blocked interrupt was meant for the last cell; it is delivered here and ignored.
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


def _apply_limits(limits: dict[str, int], cpus: int) -> None:
    for name, value in limits.items():
        number = getattr(resource, f"RLIMIT_{name.upper()}")
        _, hard = resource.getrlimit(number)
        if hard == resource.RLIM_INFINITY or value < hard:
            resource.setrlimit(number, (value, value))
    available = sorted(os.sched_getaffinity(0))
    if 0 < cpus < len(available):
        os.sched_setaffinity(0, random.sample(available, cpus))
    # If memory runs out, the worker must be killed first, not the supervisor.
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")

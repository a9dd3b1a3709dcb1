"""The execution of one cell: its output, its time limit and its reply."""

from __future__ import annotations

import os
import select
import selectors
import signal
import time
from collections.abc import Callable
from typing import Any, cast

from .capture import StreamCapture
from .files import changed_paths, snapshot
from .frames import Header
from .interpreter import Interpreter, process_ids

_CHUNK = 64 * 1024
_START_S = 15.0
"""Seconds that a new worker has to start; they do not count as the cell's time."""
_EXIT_S = 1.0
"""Seconds that a worker has to exit after it closed its control socket."""
_INTERRUPTED = "Variables and files are kept; processes that it started were stopped."
_RESTARTED = "Python was restarted: variables and imports are lost; files in /mnt/data are kept."


class Cell:
    """The state of one execution, from the host's request to the reply."""

    def __init__(
        self,
        interpreter: Interpreter,
        request: Header,
        root: str,
        send: Callable[[Header, bytes], None],
    ) -> None:
        self._interpreter = interpreter
        self._request = request
        self._root = root
        self._send = send
        self._before = snapshot(root)
        self._old_processes = process_ids()
        self._streams = {
            name: StreamCapture(self._unused_path(name), request["output_bytes"])
            for name in ("stdout", "stderr")
        }
        self._report: dict[str, Any] | None = None
        self._clock_started = False
        self._deadline = time.monotonic() + _START_S
        self._loss_reason = ""
        self._interrupted = False
        self.finished = False
        self.interpreter_lost = False
        """Whether the worker is dead or unusable, and must be replaced."""
        self.timed_out = False

    def start(self, code: bytes) -> bool:
        """Send the code to the worker; return False if the worker has died since the last cell."""
        request = {
            "number": self._request["number"],
            "result_bytes": self._request["output_bytes"],
        }
        if not _is_readable(self._interpreter.pidfd):
            try:
                self._interpreter.send_cell(request, code)
            except OSError:
                pass
            else:
                self._start_clock()
                return True
        self._lose_interpreter("The interpreter ended after the last cell; this cell did not run")
        return False

    def register(self, selector: selectors.BaseSelector) -> None:
        """Watch the worker; each key's data is a method of Cell that returns `finished`."""
        selector.register(self._interpreter.stdout, selectors.EVENT_READ, Cell._on_stdout)
        selector.register(self._interpreter.stderr, selectors.EVENT_READ, Cell._on_stderr)
        selector.register(self._interpreter.control, selectors.EVENT_READ, Cell._on_report)
        selector.register(self._interpreter.pidfd, selectors.EVENT_READ, Cell._on_exit)

    def time_left(self) -> float:
        """Return the seconds until `check_time` must be called."""
        left: float = self._deadline - time.monotonic()
        return max(0.0, left)

    def check_time(self) -> None:
        """Interrupt a cell at its time limit; give up if it did not stop after an interrupt."""
        if self.finished or time.monotonic() < self._deadline:
            return
        if not self._clock_started:
            self._lose_interpreter("The interpreter did not start in time")
        elif self._interrupted:
            self._lose_interpreter("It did not stop when interrupted and was killed")
        else:
            self.timed_out = True
            self.interrupt()

    def interrupt(self) -> None:
        """Send SIGINT once; from now on the worker has the grace period to stop."""
        if not self._interrupted:
            self._interrupted = True
            self._interpreter.interrupt()
            if self._clock_started:
                self._deadline = time.monotonic() + self._request["grace_s"]

    def _start_clock(self) -> None:
        """Start the time limit when the worker is ready: its own start does not count."""
        if self._interpreter.ready and not self._clock_started:
            self._clock_started = True
            allowed_s = self._request["grace_s" if self._interrupted else "timeout_s"]
            self._deadline = time.monotonic() + allowed_s

    def reply(self, status: int | None) -> Header:
        """Return the header of the last frame.

        status: the exit status of a lost worker.
        """
        reply: Header = {"timed_out": self.timed_out, "interrupted": self._interrupted}
        reply["state_lost"] = self.interpreter_lost
        reply["result"], reply["error"] = self._outcome(status)
        reply["files"] = changed_paths(self._before, snapshot(self._root))
        return reply

    def _outcome(self, status: int | None) -> tuple[str | None, dict[str, str] | None]:
        report = self._report or {}
        error = report.get("error")
        if self.interpreter_lost:
            name = "TimeoutError" if self.timed_out else "InterpreterDied"
            return None, {"name": name, "message": self._loss_message(status), "traceback": ""}
        if self.timed_out:
            traceback = error["traceback"] if error else ""
            message = f"{self._timeout_text()} and was interrupted. {_INTERRUPTED}"
            return None, {"name": "TimeoutError", "message": message, "traceback": traceback}
        return report.get("result"), error

    def _loss_message(self, status: int | None) -> str:
        reason = self._loss_reason or "The interpreter ended"
        if self.timed_out:
            reason = f"{self._timeout_text()}. {reason}"
        elif status is not None and status < 0 and not self._loss_reason:
            reason = f"The interpreter was killed by {_signal_name(-status)}"
        elif status is not None and not self._loss_reason:
            reason = f"The interpreter exited with status {status}"
        return f"{reason}. {_RESTARTED}"

    def _timeout_text(self) -> str:
        return f"The cell timed out after {self._request['timeout_s']:g} s"

    def _on_stdout(self) -> bool:
        return self._read("stdout", self._interpreter.stdout)

    def _on_stderr(self) -> bool:
        return self._read("stderr", self._interpreter.stderr)

    def _read(self, name: str, fd: int, size: int = _CHUNK) -> bool:
        try:
            data = os.read(fd, size)
        except BlockingIOError:
            return False
        if output := self._streams[name].feed(data):
            self._send({"type": "output", "id": self._request["id"], "stream": name}, output)
        return False

    def _on_report(self) -> bool:
        report = self._interpreter.read_report()
        self._start_clock()
        if report is not None:
            self._report = _valid_report(report)
            if self._report is None:
                self._lose_interpreter("The interpreter sent an invalid report and was killed")
            elif self._interrupted and not self._end_processes():
                self._lose_interpreter("Processes that it started did not end")
            else:
                self._finish()
        elif self._interpreter.control_closed:
            exited = _is_readable(self._interpreter.pidfd, _EXIT_S)
            self._lose_interpreter(
                "" if exited else "The interpreter closed its control socket and was killed"
            )
        return self.finished

    def _on_exit(self) -> bool:
        self._on_report()
        if not self.finished:
            self._lose_interpreter("")
        return True

    def _end_processes(self) -> bool:
        """Kill the processes that this cell started; return False if some do not die.

        Background processes ignore the interrupt. They could fill the sandbox, as a fork bomb
        does, so that no later cell could start a process.
        """
        try:
            self._interpreter.kill_new_processes(self._old_processes)
        except TimeoutError:
            return False
        return True

    def _lose_interpreter(self, reason: str) -> None:
        self._loss_reason = reason
        self.interpreter_lost = True
        self._finish()

    def _finish(self) -> None:
        # Output from before the report is in the pipes by now. Read that much and no more: a
        # background process may write forever.
        self.finished = True
        for name, fd in (
            ("stdout", self._interpreter.stdout),
            ("stderr", self._interpreter.stderr),
        ):
            left = self._interpreter.bytes_in_pipe(fd)
            while left > 0:
                self._read(name, fd, min(left, _CHUNK))
                left -= _CHUNK
            if rest := self._streams[name].finish():
                self._send({"type": "output", "id": self._request["id"], "stream": name}, rest)

    def _unused_path(self, stream: str) -> str:
        stem = f"{self._root}/cell-{self._request['number']}-{stream}"
        path, copy = f"{stem}.txt", 2
        while os.path.lexists(path):
            path, copy = f"{stem}-{copy}.txt", copy + 1
        return path


def _is_readable(fd: int, within_s: float = 0.0) -> bool:
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(1000 * within_s))


def _valid_report(report: dict[str, object]) -> dict[str, Any] | None:
    result, error = report.get("result"), report.get("error")
    if "result" not in report or not (result is None or isinstance(result, str)):
        return None
    if error is None:
        return report
    keys = ("name", "message", "traceback")
    if not isinstance(error, dict):
        return None
    fields = cast("dict[str, object]", error)
    if not all(isinstance(fields.get(key), str) for key in keys):
        return None
    return {"result": result, "error": {key: fields[key] for key in keys}}


def _signal_name(number: int) -> str:
    if number == signal.SIGKILL:
        return "SIGKILL (possibly out of memory)"
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"

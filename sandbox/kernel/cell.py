"""One cell while it runs: its output is passed on, its time is watched, its end is told."""

from __future__ import annotations

import os
import select
import selectors
import signal
import time
from collections.abc import Callable
from typing import Any, cast

from .capture import Capture
from .files import changed, snapshot
from .frames import Header
from .interpreter import Interpreter

_CHUNK = 64 * 1024
_START_S = 15.0
"""Seconds that a new worker has until it is ready: they are not the cell's."""
_EXIT_S = 1.0
"""Seconds that a worker which hung up has until it must have ended."""
_LOST = "variables are lost, files are kept"


class Cell:
    """The state of one execution, from the caller's request to its reply."""

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
        self._streams = {
            name: Capture(self._free_name(name), request["output_bytes"])
            for name in ("stdout", "stderr")
        }
        self._report: dict[str, Any] | None = None
        self._began = False
        self._deadline = time.monotonic() + _START_S
        self._reason = ""
        self._interrupted = False
        self.over = False
        self.interpreter_lost = False
        """True where the worker is dead or past help, and must be replaced."""
        self.timed_out = False

    def start(self, code: bytes) -> bool:
        """Hand the code to the worker; False where the worker died since the last cell."""
        request = {
            "number": self._request["number"],
            "result_bytes": self._request["output_bytes"],
        }
        if not _readable(self._interpreter.ended):
            try:
                self._interpreter.ask(request, code)
            except OSError:
                pass
            else:
                self._begin()
                return True
        self._lose("the interpreter ended after the last cell; this cell was not run")
        return False

    def register(self, selector: selectors.BaseSelector) -> None:
        """Watch the worker; each key's data is called with this cell, and says if it is over."""
        selector.register(self._interpreter.stdout, selectors.EVENT_READ, Cell._on_stdout)
        selector.register(self._interpreter.stderr, selectors.EVENT_READ, Cell._on_stderr)
        selector.register(self._interpreter.control, selectors.EVENT_READ, Cell._on_report)
        selector.register(self._interpreter.ended, selectors.EVENT_READ, Cell._on_end)

    def patience(self) -> float:
        """Seconds until something must be done about time."""
        left: float = self._deadline - time.monotonic()
        return max(0.0, left)

    def check_time(self) -> None:
        """Interrupt a cell whose time is up; give up on one that was interrupted in vain."""
        if self.over or time.monotonic() < self._deadline:
            return
        if not self._began:
            self._lose("it was not ready in time")
        elif self._interrupted:
            self._lose("it did not stop when it was interrupted, and the interpreter was killed")
        else:
            self.timed_out = True
            self.interrupt()

    def interrupt(self) -> None:
        """Press Ctrl-C once; the worker has the grace from now on to stop."""
        if not self._interrupted:
            self._interrupted = True
            self._interpreter.interrupt()
            if self._began:
                self._deadline = time.monotonic() + self._request["grace_s"]

    def _begin(self) -> None:
        """Start the clock, once the worker is up: what its start takes is not the cell's time."""
        if self._interpreter.ready and not self._began:
            self._began = True
            allowed = self._request["grace_s" if self._interrupted else "timeout_s"]
            self._deadline = time.monotonic() + allowed

    def reply(self, status: int | None) -> Header:
        """Return the last frame's header; `status` is the exit status of a lost worker."""
        reply: Header = {"timed_out": self.timed_out, "interrupted": self._interrupted}
        reply["state_lost"] = self.interpreter_lost
        reply["result"], reply["error"] = self._outcome(status)
        reply["files"] = changed(self._before, snapshot(self._root))
        return reply

    def _outcome(self, status: int | None) -> tuple[str | None, dict[str, str] | None]:
        report = self._report or {}
        error = report.get("error")
        if self.interpreter_lost:
            name = "TimeoutError" if self.timed_out else "InterpreterDied"
            return None, {"name": name, "message": self._last_words(status), "traceback": ""}
        if self.timed_out:
            traceback = error["traceback"] if error else ""
            said = f"{self._time_said()} and was interrupted; variables and files are kept"
            return None, {"name": "TimeoutError", "message": said, "traceback": traceback}
        return report.get("result"), error

    def _last_words(self, status: int | None) -> str:
        why = self._reason or "the interpreter ended"
        if self.timed_out:
            why = f"{self._time_said()}; {why}"
        elif status is not None and status < 0 and not self._reason:
            why = f"the interpreter was ended by {_signal_name(-status)}"
        elif status is not None and not self._reason:
            why = f"the interpreter exited with status {status}"
        return f"{why}; {_LOST}"

    def _time_said(self) -> str:
        return f"the cell took longer than {self._request['timeout_s']:g} s"

    def _on_stdout(self) -> bool:
        return self._read("stdout", self._interpreter.stdout)

    def _on_stderr(self) -> bool:
        return self._read("stderr", self._interpreter.stderr)

    def _read(self, name: str, fd: int, size: int = _CHUNK) -> bool:
        try:
            data = os.read(fd, size)
        except BlockingIOError:
            return False
        if now := self._streams[name].feed(data):
            self._send({"is": "output", "id": self._request["id"], "stream": name}, now)
        return False

    def _on_report(self) -> bool:
        report = self._interpreter.report()
        self._begin()
        if report is not None:
            self._report = _checked(report)
            if self._report is None:
                self._lose("the interpreter's report made no sense, and it was killed")
            else:
                self._end()
        elif self._interpreter.hung_up:
            ended = _readable(self._interpreter.ended, _EXIT_S)
            self._lose("" if ended else "the interpreter cut its line to us, and was killed")
        return self.over

    def _on_end(self) -> bool:
        self._on_report()
        if not self.over:
            self._lose("")
        return True

    def _lose(self, reason: str) -> None:
        self._reason = reason
        self.interpreter_lost = True
        self._end()

    def _end(self) -> None:
        # What was written before the report lies in the pipes by now: that much is
        # read, and no more, for a process left in the background may write for ever.
        self.over = True
        for name, fd in (
            ("stdout", self._interpreter.stdout),
            ("stderr", self._interpreter.stderr),
        ):
            left = self._interpreter.waiting(fd)
            while left > 0:
                self._read(name, fd, min(left, _CHUNK))
                left -= _CHUNK
            if rest := self._streams[name].finish():
                self._send({"is": "output", "id": self._request["id"], "stream": name}, rest)

    def _free_name(self, stream: str) -> str:
        stem = f"{self._root}/cell-{self._request['number']}-{stream}"
        path, copy = f"{stem}.txt", 2
        while os.path.lexists(path):
            path, copy = f"{stem}-{copy}.txt", copy + 1
        return path


def _readable(fd: int, within_s: float = 0.0) -> bool:
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(1000 * within_s))


def _checked(report: dict[str, object]) -> dict[str, Any] | None:
    result, error = report.get("result"), report.get("error")
    if "result" not in report or not (result is None or isinstance(result, str)):
        return None
    if error is None:
        return report
    keys = ("name", "message", "traceback")
    if not isinstance(error, dict):
        return None
    said = cast("dict[str, object]", error)
    if not all(isinstance(said.get(key), str) for key in keys):
        return None
    return {"result": result, "error": {key: said[key] for key in keys}}


def _signal_name(number: int) -> str:
    if number == signal.SIGKILL:
        return "SIGKILL, as happens when memory runs out"
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"

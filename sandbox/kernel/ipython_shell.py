"""A shell that runs cells with IPython."""

from __future__ import annotations

import builtins
import os
import sys
import warnings
from typing import Any

from IPython import version_info
from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.formatters import DisplayFormatter
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from .shell import Failure, exception_text, fail_on_input, without_kernel_frames

_untyped: Any = InteractiveShell
_CLEAR = "\x1b[2J\x1b[H"
_CLEAR_LATER = "\x1b[2J\x1b[1;1H"
"""What was shown is cleared when something else is shown."""


class _ResultHook(DisplayHook):
    """A display hook that stores the result instead of printing it."""

    text: str | None = None

    def write_output_prompt(self) -> None:
        pass

    def write_format_data(self, format_dict: dict[str, Any], md_dict: Any = None) -> None:
        del md_dict
        self.text = str(format_dict.get("text/plain", ""))

    def finish_displayhook(self) -> None:
        self._is_active = False


class _Publisher(DisplayPublisher):
    """A publisher that writes the sequences with which a terminal clears its screen."""

    def clear_output(self, wait: bool = False) -> None:
        for stream in (sys.stdout, sys.stderr):
            stream.write(_CLEAR_LATER if wait else _CLEAR)
            stream.flush()


class _TextFormatter(DisplayFormatter):
    """A formatter for plain text only: skipping the disabled formats takes longer than a cell."""

    def format(self, obj: object, include: Any = None, exclude: Any = None) -> Any:
        del include
        parent: Any = super()
        return parent.format(obj, ["text/plain"], exclude)


class _Interactive(InteractiveShell):
    """An InteractiveShell that stores tracebacks instead of printing them."""

    failure: Failure | None = None

    def _showtraceback(self, etype: type, evalue: BaseException | None, stb: Any) -> None:
        text = stb if isinstance(stb, str) else "\n".join(stb)
        self.failure = Failure(etype.__name__, exception_text(evalue), text)

    def _get_exc_info(self, exc_tuple: Any = None) -> Any:
        parent: Any = super()
        kind, error, frames = parent._get_exc_info(exc_tuple)  # noqa: SLF001 - a method of the parent class
        return kind, error, without_kernel_frames(frames)

    def init_display_formatter(self) -> None:
        formatter: Any = _TextFormatter
        configurables: list[Any] = self.configurables
        self.display_formatter = formatter(parent=self)
        configurables.append(self.display_formatter)

    # Shell lines write directly to the cell's descriptors, without a pseudo-terminal.
    system: Any = _untyped.system_raw


class IPythonShell:
    """A Shell that runs cells in one InteractiveShell."""

    def __init__(self) -> None:
        os.environ.setdefault("IPYTHONDIR", os.path.join(os.environ.get("HOME", "."), ".ipython"))
        config: Any = Config()
        config.HistoryManager.enabled = False
        config.InteractiveShell.colors = "NoColor" if version_info[0] < 9 else "nocolor"
        interactive: Any = _Interactive
        interactive.displayhook_class = _ResultHook
        interactive.display_pub_class = _Publisher
        self._shell: Any = interactive.instance(config=config)
        builtins.input = fail_on_input
        warnings.filterwarnings("ignore", message="To exit: use")
        self._import_everything()

    def _import_everything(self) -> None:
        """Run cells that leave nothing behind, for the imports of the first cell and traceback.

        Later, a file of the data folder could replace one of these modules.
        """
        for code in ("", "None", "raise Exception"):
            self._shell.run_cell(code, store_history=False, silent=True)
        for name in ("last_type", "last_value", "last_traceback", "last_exc"):
            if hasattr(sys, name):
                delattr(sys, name)

    def run(self, code: str) -> tuple[str | None, Failure | None]:
        """Run a cell."""
        shell = self._shell
        shell.failure = None
        shell.displayhook.text = None
        outcome = shell.run_cell(code, store_history=True)
        error = outcome.error_before_exec or outcome.error_in_exec
        failure: Failure | None = shell.failure
        if failure is None and error is not None:
            failure = Failure(type(error).__name__, exception_text(error), "")
        return shell.displayhook.text, failure

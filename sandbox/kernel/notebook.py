"""Cells as IPython runs them: magics, shell lines, top-level await, its tracebacks."""

from __future__ import annotations

import builtins
import os
import warnings
from typing import Any

from IPython import version_info
from IPython.core.displayhook import DisplayHook
from IPython.core.formatters import DisplayFormatter
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from .shell import Failure, no_input, without_our_frames, words

_untyped: Any = InteractiveShell


class _ResultHook(DisplayHook):
    """Keeps what a notebook would show, where IPython would print it."""

    text: str | None = None

    def write_output_prompt(self) -> None:
        pass

    def write_format_data(self, format_dict: dict[str, Any], md_dict: Any = None) -> None:
        del md_dict
        self.text = str(format_dict.get("text/plain", ""))

    def finish_displayhook(self) -> None:
        self._is_active = False


class _TextFormatter(DisplayFormatter):
    """Makes the one form that leaves: to ask the others, switched off, takes longer than a cell."""

    def format(self, obj: object, include: Any = None, exclude: Any = None) -> Any:
        del include
        above: Any = super()
        return above.format(obj, ["text/plain"], exclude)


class _Interactive(InteractiveShell):
    """An InteractiveShell that keeps its tracebacks instead of printing them."""

    failure: Failure | None = None

    def _showtraceback(self, etype: type, evalue: BaseException | None, stb: Any) -> None:
        text = stb if isinstance(stb, str) else "\n".join(stb)
        self.failure = Failure(etype.__name__, words(evalue), text)

    def _get_exc_info(self, exc_tuple: Any = None) -> Any:
        above: Any = super()
        kind, error, frames = above._get_exc_info(exc_tuple)  # noqa: SLF001 - its own
        return kind, error, without_our_frames(frames)

    def init_display_formatter(self) -> None:
        formatter: Any = _TextFormatter
        configurables: list[Any] = self.configurables
        self.display_formatter = formatter(parent=self)
        configurables.append(self.display_formatter)

    # Straight to the cell's own descriptors: no pseudo-terminal, no thread between.
    system: Any = _untyped.system_raw


class NotebookShell:
    """A Shell over one InteractiveShell."""

    def __init__(self) -> None:
        os.environ.setdefault("IPYTHONDIR", os.path.join(os.environ.get("HOME", "."), ".ipython"))
        config: Any = Config()
        config.HistoryManager.enabled = False
        config.InteractiveShell.colors = "NoColor" if version_info[0] < 9 else "nocolor"
        interactive: Any = _Interactive
        interactive.displayhook_class = _ResultHook
        self._shell: Any = interactive.instance(config=config)
        builtins.input = no_input
        warnings.filterwarnings("ignore", message="To exit: use")

    def run(self, code: str) -> tuple[str | None, Failure | None]:
        """Run a cell as a notebook does."""
        shell = self._shell
        shell.failure = None
        shell.displayhook.text = None
        outcome = shell.run_cell(code, store_history=True)
        error = outcome.error_before_exec or outcome.error_in_exec
        failure: Failure | None = shell.failure
        if failure is None and error is not None:
            failure = Failure(type(error).__name__, words(error), "")
        return shell.displayhook.text, failure

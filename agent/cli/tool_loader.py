"""Loading the tools that the command line names."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from ...errors import ToolDefinitionError
from ...tools import BrowserTool, PythonTool, Tool

_BUILT_IN_TOOLS: dict[str, Callable[[], Tool]] = {"python": PythonTool, "browser": BrowserTool}


def load_tool(name: str) -> Tool | Callable[..., Any]:
    """Return the tool that `--tool` names. Raises ToolDefinitionError if it cannot be loaded."""
    if name in _BUILT_IN_TOOLS:
        return _BUILT_IN_TOOLS[name]()
    source, colon, attribute = name.rpartition(":")
    if not colon:
        known = ", ".join(_BUILT_IN_TOOLS)
        raise ToolDefinitionError(
            f"no tool named {name!r}; known: {known}, module:function, file.py:function"
        )
    try:
        module = _load_file(Path(source).resolve()) if source.endswith(".py") else _load(source)
    except (Exception, SystemExit) as error:
        raise ToolDefinitionError(f"cannot load the tool {name!r}: {_reason(error)}") from error
    if not hasattr(module, attribute):
        raise ToolDefinitionError(f"cannot load the tool {name!r}: {source} has no {attribute!r}")
    return cast("Tool | Callable[..., Any]", getattr(module, attribute))


def _load(name: str) -> ModuleType:
    with _on_path(Path.cwd()):
        return importlib.import_module(name)


@cache
def _load_file(path: Path) -> ModuleType:
    """Execute a file as a module, once for all of its tools."""
    # A file may be named like a module that is loaded already.
    name = path.stem if path.stem not in sys.modules else f"_tools_in_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    # Dataclasses and pickles look their module up by its name.
    sys.modules[name] = module
    try:
        with _on_path(path.parent):
            spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


@contextmanager
def _on_path(folder: Path) -> Generator[None]:
    """Let a module import its neighbors."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


def _reason(error: BaseException) -> str:
    """Return why a module cannot be loaded; with a traceback if its own code raised."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename not in {__file__, importlib.__file__}]
    own = [frame for frame in own if not frame.filename.startswith("<frozen importlib")]
    if not own and not isinstance(error, SyntaxError):
        return str(error)
    text = "".join(traceback.format_list(own) + traceback.format_exception_only(error))
    return f"its code raised an exception\n{text.rstrip()}"

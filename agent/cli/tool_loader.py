"""Loading the tools that the command line names."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
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
        module = _load_file(Path(source)) if source.endswith(".py") else _load_module(source)
        loaded: Any = getattr(module, attribute)
    except (ImportError, OSError, AttributeError) as error:
        raise ToolDefinitionError(f"cannot load the tool {name!r}: {error}") from error
    return cast("Tool | Callable[..., Any]", loaded)


def _load_module(name: str) -> object:
    sys.path.insert(0, str(Path.cwd()))
    try:
        return importlib.import_module(name)
    finally:
        del sys.path[0]


def _load_file(path: Path) -> object:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

"""Tools as they are named on the command line."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from ...errors import ToolDefinitionError
from ...tools import BrowserTool, PythonTool, Tool

_TRAINED: dict[str, Callable[[], Tool]] = {"python": PythonTool, "browser": BrowserTool}


def load_tool(name: str) -> Tool | Callable[..., Any]:
    """The tool that `--tool` names. Raises ToolDefinitionError if there is none."""
    if name in _TRAINED:
        return _TRAINED[name]()
    place, colon, attribute = name.rpartition(":")
    if not colon:
        known = ", ".join(_TRAINED)
        raise ToolDefinitionError(
            f"no tool {name!r}; known: {known}, module:function, file.py:function"
        )
    try:
        module = _load_file(Path(place)) if place.endswith(".py") else _load_module(place)
        found: Any = getattr(module, attribute)
    except (ImportError, OSError, AttributeError) as error:
        raise ToolDefinitionError(f"cannot load the tool {name!r}: {error}") from error
    return cast("Tool | Callable[..., Any]", found)


def _load_module(name: str) -> object:
    sys.path.insert(0, str(Path.cwd()))
    try:
        return importlib.import_module(name)
    finally:
        del sys.path[0]


def _load_file(path: Path) -> object:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

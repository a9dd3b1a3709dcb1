"""A shell that runs cells without IPython."""

from __future__ import annotations

import ast
import asyncio
import builtins
import inspect
import io
import linecache
import sys
import traceback
from types import CodeType, ModuleType
from typing import Any

from .shell import Failure, exception_text, fail_on_input, without_kernel_frames

_PARSE = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT


class PlainShell:
    """A Shell for an interpreter without IPython; it does not support magics and shell lines."""

    def __init__(self) -> None:
        main = ModuleType("__main__")
        sys.modules["__main__"] = main
        self._names = main.__dict__
        self._names["__builtins__"] = builtins
        self._number = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        builtins.input = fail_on_input

    def run(self, code: str) -> tuple[str | None, Failure | None]:
        """Run a cell."""
        self._number += 1
        name = f"Cell In[{self._number}]"
        linecache.cache[name] = (len(code), None, list(io.StringIO(code, newline=None)), name)
        try:
            tree = compile(code, name, "exec", _PARSE, dont_inherit=True)
            last = tree.body[-1] if tree.body else None
            value = None
            if isinstance(last, ast.Expr) and not code.rstrip().endswith(";"):
                tree.body.pop()
                self._run(_compile(tree, name, "exec"))
                value = self._run(_compile(ast.Expression(last.value), name, "eval"))
            else:
                self._run(_compile(tree, name, "exec"))
            if value is None:
                return None, None
            self._names["_"] = value
            return repr(value), None
        except BaseException as error:  # noqa: BLE001 - any exception of a cell is its outcome
            return None, Failure(type(error).__name__, exception_text(error), _traceback(error))

    def _run(self, code: CodeType) -> Any:
        value = eval(code, self._names)  # noqa: S307 - running code is the purpose of a sandbox
        if code.co_flags & inspect.CO_COROUTINE:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
            return self._loop.run_until_complete(value)
        return value


def _compile(tree: ast.Module | ast.Expression, name: str, mode: str) -> CodeType:
    code = compile(tree, name, mode, flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    assert isinstance(code, CodeType)
    return code


def _traceback(error: BaseException) -> str:
    frames = without_kernel_frames(error.__traceback__)
    return "".join(traceback.format_exception(type(error), error, frames))

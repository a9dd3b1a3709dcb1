"""What stands behind a callable: a function, a method, a partial, a class, an object."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any


def name_of(function: Callable[..., Any]) -> str:
    """The name it was defined by; an object has that of its class."""
    inner = _inside(function)
    return str(getattr(inner, "__name__", type(inner).__name__))


def docstring_of(function: Callable[..., Any]) -> str | None:
    """The docstring that tells what a call does."""
    inner = _inside(function)
    if inspect.isclass(inner) or inspect.isroutine(inner):
        return inspect.getdoc(inner)
    return definition(function).__doc__ or inspect.getdoc(_class(inner))


def definition(function: Callable[..., Any]) -> Callable[..., Any]:
    """The `def` that runs, out of its partial and its decorators' wrappers."""
    inner = inspect.unwrap(_inside(function))
    if inspect.isclass(inner):
        return inner.__init__
    return inner if inspect.isroutine(inner) else _class(inner).__call__


def filled_in(function: Any) -> frozenset[str]:
    """The parameters that a partial has filled in by name."""
    return frozenset(function.keywords if isinstance(function, functools.partial) else ())


def is_async(function: Callable[..., Any]) -> bool:
    """Whether calling it gives a coroutine at once."""
    inner = _inside(function)
    return inspect.iscoroutinefunction(inner) or inspect.iscoroutinefunction(
        getattr(_class(inner), "__call__", None)  # noqa: B004 - asked for its kind
    )


def _class(value: object) -> Any:
    return type(value)


def _inside(function: Any) -> Any:
    return function.func if isinstance(function, functools.partial) else function

"""Facts about a callable: a function, a method, a partial, a class or an object."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any


def name_of(function: Callable[..., Any]) -> str:
    """Return the name of the definition; of an object, the name of its class."""
    inner = _without_partial(function)
    return str(getattr(inner, "__name__", type(inner).__name__))


def definition_of(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function that runs, without a partial and the wrappers of decorators."""
    inner = inspect.unwrap(_without_partial(function))
    if inspect.isclass(inner):
        return inner.__init__
    return inner if inspect.isroutine(inner) else _class_of(inner).__call__


def partial_keywords(function: Any) -> frozenset[str]:
    """Return the names of the parameters that a partial sets."""
    return frozenset(function.keywords if isinstance(function, functools.partial) else ())


def is_async(function: Callable[..., Any]) -> bool:
    """Return whether calling the function returns a coroutine."""
    inner = _without_partial(function)
    return inspect.iscoroutinefunction(inner) or inspect.iscoroutinefunction(
        getattr(_class_of(inner), "__call__", None)  # noqa: B004 - only its kind matters
    )


def docstring_of(function: Callable[..., Any]) -> str:
    """Return the docstring that says what a call does."""
    inner = _without_partial(function)
    if not inspect.isclass(inner) and not inspect.isroutine(inner):
        call = definition_of(function)
        inner = call if call.__doc__ else _class_of(inner)
    return inspect.getdoc(inner) or ""


def _class_of(value: object) -> Any:
    return type(value)


def _without_partial(function: Any) -> Any:
    return function.func if isinstance(function, functools.partial) else function

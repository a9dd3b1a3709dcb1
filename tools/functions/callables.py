"""Facts about a callable: a function, a method, a partial, a class or an object."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import docstring_parser

# docstring_parser takes a section for the summary if there is no text before it.
_SUMMARY = "-"


@dataclass(frozen=True, slots=True)
class Docstring:
    """The parts of a docstring that a model reads."""

    description: str = ""
    parameters: dict[str, str] = field(default_factory=dict[str, str])
    """Descriptions by parameter; `*args` and `**kwargs` without their stars."""


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


def read_docstring(function: Callable[..., Any]) -> Docstring:
    """Read the docstring of a function; Google, NumPy and Sphinx style are recognized.

    Sections about exceptions, examples and the like are for programmers, and are left out.
    """
    text = inspect.cleandoc(_docstring_of(function) or "")
    try:
        parsed = docstring_parser.parse(f"{_SUMMARY}\n\n{text}")
    except docstring_parser.ParseError:
        return Docstring(text)
    description = parsed.long_description or ""
    if parsed.returns and parsed.returns.description:
        description = f"{description}\n\nReturns: {parsed.returns.description}".strip()
    parameters: dict[str, str] = {}
    for parameter in parsed.params:
        # NumPy style may describe several parameters at once: `x, y : float`.
        for name in parameter.arg_name.split(","):
            parameters.setdefault(name.strip().lstrip("*"), parameter.description or "")
    return Docstring(description, parameters)


def _docstring_of(function: Callable[..., Any]) -> str | None:
    """Return the docstring that says what a call does."""
    inner = _without_partial(function)
    if inspect.isclass(inner) or inspect.isroutine(inner):
        return inspect.getdoc(inner)
    return definition_of(function).__doc__ or inspect.getdoc(_class_of(inner))


def _class_of(value: object) -> Any:
    return type(value)


def _without_partial(function: Any) -> Any:
    return function.func if isinstance(function, functools.partial) else function

"""Whether an object can be called as its interface says, checked before anything calls it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from inspect import Parameter
from typing import Any


def check_method(value: object, interface: Callable[..., Any]) -> None:
    """Check that an object has a method that can be called like a method of its interface.

    interface: the method as the interface defines it, such as `Hook.on_event`.

    Raises TypeError, with the signature to write.
    """
    name = interface.__name__
    expected = inspect.signature(interface)
    method = getattr(value, name, None)
    written = f"{type(value).__name__}.{name}"
    asynchronous = "async " if inspect.iscoroutinefunction(interface) else ""
    write = f"write `{asynchronous}def {name}{_without_annotations(expected)}`"
    if not callable(method):
        raise TypeError(f"{written} is missing: {write}")
    try:
        signature = inspect.signature(method)
    except ValueError:  # it is written in C
        return
    try:
        _bind(signature, expected)
    except TypeError as error:
        raise TypeError(f"{written}{signature} cannot be called: {error}; {write}") from error
    if asynchronous and _is_surely_plain(method):
        raise TypeError(f"{written} is not async: {write}")


def check_parameters(name: str, function: Callable[..., Any], count: int, instead: str) -> None:
    """Check that a function can be called with a number of arguments.

    name: what the function is for the user, such as `enabled`.
    instead: the signature to write.

    Raises TypeError.
    """
    try:
        inspect.signature(function).bind(*[None] * count)
    except ValueError:  # it is written in C
        return
    except TypeError as error:
        raise TypeError(f"{name} cannot be called: {error}; write `{instead}`") from error


def _bind(signature: inspect.Signature, expected: inspect.Signature) -> None:
    """Raise TypeError if a method does not accept what the caller will pass."""
    _, *parameters = expected.parameters.values()  # without self
    keywords = {item.name: None for item in parameters if item.kind is Parameter.KEYWORD_ONLY}
    signature.bind(*[None] * (len(parameters) - len(keywords)), **keywords)


def _is_surely_plain(method: Callable[..., Any]) -> bool:
    """Return whether a method is a plain function that does not say that it returns an awaitable.

    A lambda, a decorated function or an object may return an awaitable without being async itself.
    """
    function: Any = getattr(method, "__func__", method)
    if not inspect.isfunction(function) or inspect.iscoroutinefunction(function):
        return False
    returns = str(function.__annotations__.get("return", ""))
    return (
        function.__name__ != "<lambda>"
        and not hasattr(function, "__wrapped__")
        and "wait" not in returns
        and "Coroutine" not in returns
    )


def _without_annotations(signature: inspect.Signature) -> str:
    empty = Parameter.empty
    parameters = [item.replace(annotation=empty) for item in signature.parameters.values()]
    return str(signature.replace(parameters=parameters, return_annotation=empty))

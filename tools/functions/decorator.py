"""`@tool`: a function becomes something a model can call."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import MethodType
from typing import Any, ParamSpec, TypeVar, Unpack, cast, overload

from ...errors import ToolDefinitionError
from ..protocol import Tool
from .function_tool import FunctionTool
from .options import Options, ToolOptions

P = ParamSpec("P")
R = TypeVar("R")


@overload
def tool(function: Callable[P, R], /, **options: Unpack[ToolOptions]) -> FunctionTool[P, R]: ...


@overload
def tool(**options: Unpack[ToolOptions]) -> Callable[[Callable[P, R]], FunctionTool[P, R]]: ...


def tool(function: Callable[..., Any] | None = None, /, **options: Unpack[ToolOptions]) -> Any:
    """Make a function a tool: bare (`@tool`) or with options (`@tool(timeout_s=10)`).

    Plain and async functions, methods, partials and callable objects may be tools. Everything the
    model is told comes from the function itself:

    - Its name, and the docstring (Google, NumPy or Sphinx style) with the parameters' descriptions.
      `Annotated[int, Field(description=..., ge=1)]` says it at the parameter, and wins.
    - Annotations: whatever pydantic validates, so also enums, `Literal`, unions, models,
      dataclasses, TypedDict. A parameter with a default need not be given. Arguments are validated,
      and the function sees values of the annotated types; a wrong call never reaches it.
    - A first parameter annotated `RunContext[...]` receives the run's context; the model does not
      see it. Nor does it see what `functools.partial` has filled in.

    What it returns is what the model reads: a str as it is, models and plain data as JSON, None as
    a note that it succeeded. Bytes and very long results go to a file that the model is told of.

    To report a failure to the model, raise `ToolRetry("...")` if another call may work, or
    `ToolError("...")` if none will. After any other exception the model reads only that the call
    failed unexpectedly. The log has the exception's class name, never its text or a traceback:
    both can contain arguments and keys. The exception itself, with its traceback, is
    `ToolResult.error`.

    An async function is cancelled after `timeout_s`. A plain one runs in a thread, which nobody can
    stop: it goes on alone, and its result is lost.

    options: the fields of Options: `name`, `description`, `timeout_s`, `retries`, `strict`,
        `sequential`, `idempotent`, `enabled`.
    Returns a FunctionTool, which is called like the function itself: test it without a model.

    Raises ToolDefinitionError if the function cannot be offered to a model.
    """
    chosen = Options(**options)
    if function is not None:
        return FunctionTool[..., Any].of(function, chosen)
    return partial(FunctionTool[..., Any].of, options=chosen)


def as_tool(one: Tool | Callable[..., Any]) -> Tool:
    """A tool as it is, a plain function as `@tool` would have it.

    Raises ToolDefinitionError if it is neither.
    """
    # Since Python 3.13 a classmethod of a FunctionTool is no longer bound by it.
    inner: object = one.__func__ if isinstance(one, MethodType) else one
    if isinstance(one, MethodType) and isinstance(inner, FunctionTool):
        return cast("FunctionTool[..., Any]", inner).__get__(one.__self__, None)
    if isinstance(one, FunctionTool):
        function = cast("FunctionTool[..., Any]", one)
        if function.signature.is_method:
            raise ToolDefinitionError(
                f"{function.name} is a method without its object; give the bound one, "
                f"object.{function.name}"
            )
        return function
    if isinstance(one, type) and Tool in one.__mro__:
        raise ToolDefinitionError(f"{one.__name__} is a class; give a tool: {one.__name__}()")
    return one if isinstance(one, Tool) else tool(one)

"""`@tool`: make a function a tool that a model can call."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import MethodType
from typing import Any, ParamSpec, TypedDict, TypeVar, Unpack, cast, overload

from ...errors import ToolDefinitionError
from ..protocol import Tool
from .function_tool import Enabled, FunctionTool, Options

P = ParamSpec("P")
R = TypeVar("R")


class ToolOptions(TypedDict, total=False):
    """The keywords of `@tool`: the fields of Options."""

    name: str
    description: str
    timeout_s: float | None
    retries: int
    strict: bool
    sequential: bool
    idempotent: bool
    enabled: Enabled | None


@overload
def tool(function: Callable[P, R], /, **options: Unpack[ToolOptions]) -> FunctionTool[P, R]: ...


@overload
def tool(**options: Unpack[ToolOptions]) -> Callable[[Callable[P, R]], FunctionTool[P, R]]: ...


def tool(function: Callable[..., Any] | None = None, /, **options: Unpack[ToolOptions]) -> Any:
    """Make a function a tool: `@tool`, or with options, `@tool(timeout_s=10)`.

    Plain and async functions, methods, partials and callable objects can be tools. The model learns
    everything from the function itself:

    - Its name and its docstring (Google, NumPy or Sphinx style), which also describes the
      parameters. A description in `Annotated[int, Field(description=..., ge=1)]` wins.
    - Annotations: all types that pydantic validates, including enums, `Literal`, unions, models,
      dataclasses and TypedDict. A parameter with a default is optional. Arguments are validated and
      converted to the annotated types; a call with invalid arguments never reaches the function.
    - A first parameter annotated `RunContext[...]` receives the run's context. The model does not
      see it, nor the keywords that `functools.partial` sets.

    The model reads what the function returns: a str as it is, models and plain data as JSON, None
    as a note that the call succeeded. Bytes and very long texts are stored in a file, and the model
    reads its path.

    To report a failure to the model, raise `ToolRetry("...")` if another call may work, or
    `ToolError("...")` if none will. After any other exception the model reads only that the call
    failed unexpectedly. The log has the exception's class name, never its text or a traceback:
    both can contain arguments and keys. The exception itself, with its traceback, is
    `ToolResult.error`.

    An async function is cancelled after `timeout_s`. A plain one runs in a thread, which cannot be
    stopped: it continues in the background, and its result is lost.

    options: the fields of Options: `name`, `description`, `timeout_s`, `retries`, `strict`,
        `sequential`, `idempotent`, `enabled`.
    Returns a FunctionTool. Call it like the function itself, to test it without a model.

    Raises ToolDefinitionError if the function cannot be a tool.
    """
    all_options = Options(**options)
    if function is not None:
        return FunctionTool[..., Any].from_function(function, all_options)
    return partial(FunctionTool[..., Any].from_function, options=all_options)


def as_tool(value: Tool | Callable[..., Any]) -> Tool:
    """Return a tool as it is, and a plain function as the tool that `@tool` makes of it.

    Raises ToolDefinitionError if it is neither.
    """
    # Since Python 3.13 a classmethod of a FunctionTool is no longer bound by it.
    inner: object = value.__func__ if isinstance(value, MethodType) else value
    if isinstance(value, MethodType) and isinstance(inner, FunctionTool):
        return cast("FunctionTool[..., Any]", inner).__get__(value.__self__, None)
    if isinstance(value, FunctionTool):
        function = cast("FunctionTool[..., Any]", value)
        if function.signature.is_method:
            raise ToolDefinitionError(
                f"{function.name} is a method without its object; pass the bound method, "
                f"object.{function.name}"
            )
        return function
    if isinstance(value, type) and Tool in value.__mro__:
        raise ToolDefinitionError(f"{value.__name__} is a class; pass a tool: {value.__name__}()")
    return value if isinstance(value, Tool) else tool(value)

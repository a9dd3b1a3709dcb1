"""The user's functions as tools."""

from __future__ import annotations

import inspect
import re
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, Generic, ParamSpec, TypedDict, TypeVar, Unpack, overload

from anyio import move_on_after, to_thread
from pydantic import ValidationError

from ..errors import ToolDefinitionError, ToolError, ToolRetry
from ..harmony import Message, ToolDescription, ToolNamespace
from .arguments import arguments_json, invalid_arguments
from .context import RunContext
from .contract import Result, Tool
from .docstring import read_docstring
from .result import as_result
from .signature import Signature, read_signature

P = ParamSpec("P")
R = TypeVar("R")

FUNCTIONS = "functions"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")


class ToolOptions(TypedDict, total=False):
    """What `@tool` takes besides the function."""

    name: str
    description: str
    timeout_s: float | None
    retries: int
    strict: bool
    sequential: bool
    when: Callable[[RunContext[Any]], bool] | None


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a function tool, complete."""

    name: str = ""
    """As the model sees it; empty: the function's own name."""
    description: str = ""
    """Instead of the docstring's."""
    timeout_s: float | None = 120.0
    """Seconds one call may take; None: as long as it likes."""
    retries: int = 3
    """How often in a row the model may try again."""
    strict: bool = False
    """Values must have the very JSON types of the schema: no "3" for 3."""
    sequential: bool = False
    """Calls wait for the other sequential calls of the run."""
    when: Callable[[RunContext[Any]], bool] | None = None
    """Offer the tool only when this holds."""


@dataclass(frozen=True)
class FunctionTool(Tool, Generic[P, R]):
    """A function that a model can call; calling it yourself calls the function."""

    function: Callable[P, R]
    options: Options = field(default_factory=Options)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:  # noqa: D102 - the function's own
        return self.function(*args, **kwargs)

    @cached_property
    def name(self) -> str:
        """What stands after `functions.` in a call."""
        inner = self.function.func if isinstance(self.function, partial) else self.function
        name = self.options.name or getattr(inner, "__name__", type(inner).__name__)
        if not _NAME.fullmatch(name):
            raise ToolDefinitionError(f"{name!r} is no name for a tool; give one: @tool(name=...)")
        return str(name)

    @cached_property
    def signature(self) -> Signature:
        """The parameters, as the model sees and as Python takes them."""
        doc = read_docstring(inspect.getdoc(self.function))
        return read_signature(self.function, bound=False, descriptions=doc.parameters)

    @cached_property
    def namespace(self) -> ToolNamespace:
        """The tool alone in the namespace `functions`."""
        doc = read_docstring(inspect.getdoc(self.function))
        described = self.options.description or doc.description
        tool = ToolDescription(self.name, described, dict(self.signature.schema))
        return ToolNamespace(FUNCTIONS, None, (tool,))

    @property
    def sequential(self) -> bool:
        """Whether its calls wait for the other sequential calls of the run."""
        return self.options.sequential

    def offered(self, context: RunContext[Any]) -> bool:
        """Whether the model may call it now."""
        return self.options.when is None or self.options.when(context)

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[OpenFunction]:
        """Count this run's failures; a function has nothing else to hold."""
        yield OpenFunction(self)


@dataclass
class OpenFunction:
    """A function tool during one run."""

    tool: FunctionTool[..., Any]
    failures: int = 0
    """Failures in a row that the model was told it may mend."""

    async def answer(self, call: Message, context: RunContext[Any]) -> Result:
        """Validate the arguments, run the function, and put its value into words."""
        try:
            result = as_result(await self._value(call, context))
        except ToolRetry as retry:
            self.failures += 1
            left = self.tool.options.retries - self.failures
            if left < 0:
                told = f"{retry}\nDo not call functions.{self.tool.name} again."
                raise ToolError(told) from retry
            raise
        self.failures = 0
        return result

    async def _value(self, call: Message, context: RunContext[Any]) -> Any:
        recipient, options = f"{FUNCTIONS}.{self.tool.name}", self.tool.options
        try:
            text = arguments_json(call.text)
            positional, keywords = self.tool.signature.read(text, strict=options.strict)
        except ValidationError as error:
            raise ToolRetry(invalid_arguments(recipient, error)) from error
        if self.tool.signature.takes_context:
            positional.insert(0, context)
        with move_on_after(options.timeout_s):
            return await _run(self.tool.function, positional, keywords)
        raise ToolError(f"{recipient} did not answer within {options.timeout_s} s")


async def _run(function: Callable[..., Any], args: list[Any], kwargs: dict[str, Any]) -> Any:
    if _is_async(function):
        return await function(*args, **kwargs)
    value = await to_thread.run_sync(partial(function, *args, **kwargs), abandon_on_cancel=True)
    return await value if inspect.isawaitable(value) else value


def _is_async(function: Callable[..., Any]) -> bool:
    inner = function.func if isinstance(function, partial) else function
    return inspect.iscoroutinefunction(inner) or inspect.iscoroutinefunction(
        getattr(inner, "__call__", None)  # noqa: B004 - its kind is asked, not whether it is there
    )


@overload
def tool(function: Callable[P, R], /, **options: Unpack[ToolOptions]) -> FunctionTool[P, R]: ...


@overload
def tool(
    **options: Unpack[ToolOptions],
) -> Callable[[Callable[P, R]], FunctionTool[P, R]]: ...


def tool(function: Callable[..., Any] | None = None, /, **options: Unpack[ToolOptions]) -> Any:
    """Make a function a tool: bare (`@tool`) or with options (`@tool(timeout_s=10)`).

    Name, description and JSON Schema come from its signature, annotations and docstring; a first
    parameter annotated `RunContext[...]` receives the run's context and is no part of the schema.
    """
    if function is None:
        return lambda function: tool(function, **options)
    made = FunctionTool(function, Options(**options))
    _ = made.namespace  # so that what cannot be offered fails here, where it is written
    return made

"""The user's functions as tools."""

from __future__ import annotations

import inspect
import re
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from types import MethodType
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, cast, overload

from anyio import move_on_after, to_thread
from pydantic import ValidationError

from ...errors import ToolDefinitionError, ToolError, ToolRetry
from ...harmony import Message, ToolDescription, ToolNamespace
from ..context import RunContext
from ..protocol import OpenTool, Tool, ToolReturn
from ..recipients import FUNCTIONS
from .arguments import arguments_json, invalid_arguments
from .callables import definition, docstring_of, is_async, name_of
from .docstring import read_docstring
from .options import Options
from .results import as_result
from .schema import Arguments
from .signature import Signature, read_signature

P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True, eq=False)
class FunctionTool(Tool, Generic[P, R]):
    """A function that a model can call; made by `@tool`. Calling it calls the function."""

    function: Callable[P, R]
    options: Options
    signature: Signature
    arguments: Arguments
    _namespace: ToolNamespace

    @classmethod
    def of(cls, function: Callable[P, R], options: Options) -> FunctionTool[P, R]:
        """Read everything that a model must know of the function, once.

        Raises ToolDefinitionError if it cannot be offered to a model.
        """
        if isinstance(function, FunctionTool):
            return cls.of(cast("Callable[P, R]", function.function), options)
        name = options.name or name_of(function)
        _check(function, name)
        doc = read_docstring(docstring_of(function))
        signature = read_signature(function)
        arguments = Arguments(name, signature.parameters, doc.parameters)
        described = options.description or doc.description
        declared = ToolDescription(name, described, arguments.schema)
        space = ToolNamespace(FUNCTIONS, None, (declared,))
        return cls(function, options, signature, arguments, space)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:  # noqa: D102 - the function's own
        return self.function(*args, **kwargs)

    @overload
    def __get__(self, instance: None, owner: type[Any]) -> FunctionTool[P, R]: ...

    @overload
    def __get__(
        self: FunctionTool[Concatenate[Any, Q], R], instance: object, owner: type[Any] | None = None
    ) -> FunctionTool[Q, R]: ...

    @overload
    def __get__(self, instance: object, owner: type[Any] | None = None) -> FunctionTool[P, R]: ...

    def __get__(self, instance: object, owner: type[Any] | None = None) -> FunctionTool[..., R]:
        if instance is None or not self.signature.is_method:
            return self
        return replace(
            self,
            function=MethodType(self.function, instance),
            signature=replace(self.signature, is_method=False),
        )

    @property
    def name(self) -> str:
        """What stands after `functions.` in a call."""
        return self._namespace.tools[0].name

    @property
    def namespace(self) -> ToolNamespace:
        """The function alone in the namespace `functions`."""
        return self._namespace

    @property
    def sequential(self) -> bool:
        """Whether its calls wait for the other sequential calls of the run."""
        return self.options.sequential

    @property
    def idempotent(self) -> bool:
        """Whether a call that was interrupted may simply be made again."""
        return self.options.idempotent

    def is_available(self, context: RunContext[Any]) -> bool:
        """Whether the model may call it now."""
        return self.options.enabled is None or self.options.enabled(context)

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[OpenTool]:
        """Count one run's failures; a function has nothing else to hold."""
        yield OpenFunction(self)


@dataclass
class OpenFunction:
    """A function tool during one run."""

    tool: FunctionTool[..., Any]
    failures: int = 0
    """How often in a row the model was told to try again."""

    async def call(self, call: Message, context: RunContext[Any]) -> ToolReturn:
        """Validate the arguments, run the function, and put what it returned into words."""
        try:
            result = as_result(await self._value(call, context), self.tool.name)
        except ToolRetry as retry:
            self.failures += 1
            left = self.tool.options.retries + 1 - self.failures
            if left > 0:
                tries = "1 try" if left == 1 else f"{left} tries"
                raise ToolRetry(f"{retry}\nTry again; {tries} left.") from retry
            raise ToolError(f"{retry}\nThat was the last try. Go on without this tool.") from retry
        self.failures = 0
        return result

    async def _value(self, call: Message, context: RunContext[Any]) -> Any:
        tool = self.tool
        try:
            text = arguments_json(call.text)
            values = tool.arguments.read(text, strict=tool.options.strict)
        except ValidationError as error:
            raise ToolRetry(invalid_arguments(call.recipient or tool.name, error)) from error
        ready = tool.signature.bind(tool.function, values, context)
        timeout_s = tool.options.timeout_s
        with move_on_after(timeout_s):
            return await _run(ready, waits=is_async(tool.function))
        raise ToolError(f"{call.recipient} did not answer within {timeout_s:g} seconds")


async def _run(ready: Callable[[], Any], *, waits: bool) -> Any:
    """Await a coroutine function here, run a plain one in a thread.

    A task group inside the function wraps what its tasks raise; one ToolError alone is taken out.
    """
    try:
        value = ready() if waits else await _run_in_thread(ready)
        return await value if inspect.isawaitable(value) else value
    except ExceptionGroup as group:
        found, rest = group.split(ToolError)
        if found is None or rest is not None:
            raise
        raise _first(found) from group


async def _run_in_thread(ready: Callable[[], Any]) -> Any:
    """Run a plain function in a thread, which goes on alone if the call is cancelled.

    A GeneratorExit is raised here and not by the thread's future: asyncio would throw it into the
    outermost coroutine of the task, which closes all the others, up to the whole run.
    """

    def run() -> tuple[Any, GeneratorExit | None]:
        try:
            return ready(), None
        except GeneratorExit as error:
            return None, error

    value, error = await to_thread.run_sync(run, abandon_on_cancel=True)
    if error is not None:
        raise error
    return value


def _first(group: ExceptionGroup[ToolError]) -> ToolError:
    error: ToolError | ExceptionGroup[ToolError] = group
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


def _check(function: Callable[..., Any], name: str) -> None:
    if not callable(function):
        raise ToolDefinitionError(
            f"{function!r} is neither a tool nor a function; @classmethod goes above @tool"
        )
    if not _NAME.fullmatch(name):
        raise ToolDefinitionError(
            f"{name!r} is no name for a tool: a letter, then letters, digits, _ and -, 64 at most; "
            "give one by @tool(name=...)"
        )
    inner = definition(function)
    if inspect.isgeneratorfunction(inner) or inspect.isasyncgenfunction(inner):
        raise ToolDefinitionError(f"{name} yields, and a model reads one answer; return a list")

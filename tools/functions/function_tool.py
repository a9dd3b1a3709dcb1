"""Tools that are made of the user's functions."""

from __future__ import annotations

import inspect
import re
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from types import MethodType
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, cast, overload

from anyio import move_on_after
from pydantic import ValidationError

from ...errors import ToolDefinitionError, ToolError, ToolRetry
from ...harmony import Message, ToolDescription, ToolNamespace
from ..field_docs import document_fields
from ..interface import check_parameters
from ..protocol import OpenTool, RunContext, Tool, ToolReturn
from ..recipients import FUNCTIONS, spell_name
from .arguments import extract_arguments, invalid_arguments_error
from .callables import definition_of, docstring_of, is_async, name_of
from .docstring import Docstring, parse_docstring
from .results import to_tool_return
from .run_function import run_function
from .schema import Arguments
from .signature import Signature, read_signature

P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")

Enabled = Callable[[RunContext[Any]], bool]

_MAX_NAME_CHARS = 64


@document_fields
@dataclass(frozen=True, slots=True)
class Options:
    """The options of a function tool."""

    name: str = ""
    """The name of the tool; empty: the name of the function. The model sees `_` for characters that
    a name cannot have, such as dots and spaces."""
    description: str = ""
    """The description that the model reads; empty: the docstring's."""
    timeout_s: float | None = 120.0
    """Seconds that one call may take; None: no limit. A plain function cannot be stopped: the model
    continues without its result, and its thread runs on."""
    retries: int = 3
    """How often in a row the model may try again after invalid arguments or a ToolRetry."""
    strict: bool = False
    """Whether values must have exactly the JSON types of the schema: no "3" for 3, no 1 for
    true."""
    sequential: bool = False
    """Whether its calls wait for the other sequential calls of the run."""
    idempotent: bool = False
    """Whether a call can be repeated if the process was killed before its result was recorded.
    If not, a resumed run tells the model that the call was interrupted."""
    enabled: Enabled | None = None
    """Decides, given the run's context, whether the tool is available; None: always."""

    def __post_init__(self) -> None:
        if self.timeout_s is not None and self.timeout_s <= 0:
            raise ToolDefinitionError(
                f"timeout_s is {self.timeout_s}; use a positive number of seconds, or None"
            )
        if self.retries < 0:
            raise ToolDefinitionError(f"retries is {self.retries}; use 0 for no retries")
        if self.enabled is not None:
            check_parameters("enabled", self.enabled, 1, "lambda context: ...")
        if self.enabled is not None and is_async(self.enabled):
            raise ToolDefinitionError(
                "`enabled` is async, but the prompt is built without waiting; use a plain function"
            )


@dataclass(frozen=True, slots=True, eq=False)
class FunctionTool(Tool, Generic[P, R]):
    """A function that a model can call, made by `@tool`. Calling it calls the function."""

    function: Callable[P, R]
    name: str
    """The name of the tool, as you wrote it."""
    options: Options
    signature: Signature
    arguments: Arguments
    _namespace: ToolNamespace

    @classmethod
    def from_function(cls, function: Callable[P, R], options: Options) -> FunctionTool[P, R]:
        """Read what the model must know about the function.

        Raises ToolDefinitionError if the function cannot be a tool.
        """
        if isinstance(function, FunctionTool):
            return cls.from_function(cast("Callable[P, R]", function.function), options)
        name = options.name or name_of(function)
        _check(function, name)
        signature = read_signature(function)
        docstring = _read_docstring(function, signature)
        arguments = Arguments(name, signature.parameters, docstring.parameters)
        description = options.description or docstring.description
        if arguments.description not in description:
            description = f"{description}\n\n{arguments.description}".strip()
        declaration = ToolDescription(spell_name(name), description, arguments.schema)
        namespace = ToolNamespace(FUNCTIONS, None, (declaration,))
        return cls(function, name, options, signature, arguments, namespace)

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
    def namespace(self) -> ToolNamespace:
        """The namespace `functions` with this function only."""
        return self._namespace

    @property
    def sequential(self) -> bool:
        """Whether its calls wait for the other sequential calls of the run."""
        return self.options.sequential

    @property
    def idempotent(self) -> bool:
        """Whether an interrupted call can be repeated safely."""
        return self.options.idempotent

    def is_available(self, context: RunContext[Any]) -> bool:
        """Return whether the model may call the tool now."""
        return self.options.enabled is None or self.options.enabled(context)

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[OpenTool]:
        """Start counting the failed attempts of one run."""
        yield OpenFunction(self)


@dataclass
class OpenFunction:
    """A function tool during one run."""

    tool: FunctionTool[..., Any]
    failures: int = 0
    """How many calls in a row have failed with a ToolRetry."""

    async def call(self, call: Message, context: RunContext[Any]) -> ToolReturn:
        """Validate the arguments, run the function, and convert its value to text."""
        try:
            returned = to_tool_return(await self._run(call, context), self.tool.name)
        except ToolRetry as retry:
            self.failures += 1
            left = self.tool.options.retries + 1 - self.failures
            if left > 0:
                attempts = "1 attempt" if left == 1 else f"{left} attempts"
                raise ToolRetry(f"{retry}\nTry again. {attempts} left.") from retry
            raise ToolError(f"{retry}\nNo attempts left. Continue without this tool.") from retry
        self.failures = 0
        return returned

    async def _run(self, call: Message, context: RunContext[Any]) -> Any:
        tool = self.tool
        try:
            json = extract_arguments(call.text)
            values = tool.arguments.read(json, strict=tool.options.strict)
        except ValidationError as error:
            raise ToolRetry(invalid_arguments_error(call.recipient or tool.name, error)) from error
        bound = tool.signature.bind(tool.function, values, context)
        timeout_s = tool.options.timeout_s
        with move_on_after(timeout_s):
            return await run_function(bound, in_thread=not is_async(tool.function))
        raise ToolError(f"{call.recipient} timed out after {timeout_s:g} seconds")


def _read_docstring(function: Callable[..., Any], signature: Signature) -> Docstring:
    visible = {parameter.name: parameter.kind for parameter in signature.parameters}
    hidden = signature.python.parameters.keys() - visible.keys()
    others = [name for name, kind in visible.items() if kind is inspect.Parameter.VAR_KEYWORD]
    return parse_docstring(
        docstring_of(function),
        visible.keys() - set(others),
        hidden=hidden,
        others=others[0] if others else None,
    )


def _check(function: Callable[..., Any], name: str) -> None:
    if isinstance(function, classmethod):
        raise ToolDefinitionError(f"{name} is a classmethod: write @classmethod above @tool")
    if not callable(function):
        raise ToolDefinitionError(f"{function!r} is neither a tool nor a function")
    if not re.search(r"[A-Za-z0-9]", name) or name == "<lambda>" or len(name) > _MAX_NAME_CHARS:
        raise ToolDefinitionError(
            f"{name!r} is not a valid name for a tool: use letters, digits, _ and -, at most "
            f"{_MAX_NAME_CHARS} characters: @tool(name=...)"
        )
    inner = definition_of(function)
    if inspect.isgeneratorfunction(inner) or inspect.isasyncgenfunction(inner):
        raise ToolDefinitionError(
            f"{name} is a generator, but a call has one result; return a list instead"
        )

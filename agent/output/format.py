"""Validation of the model's answer as the output type."""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Generic, TypeVar, Union, cast

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, create_model

from ...errors import ToolDefinitionError, ToolError
from ...harmony import ResponseFormat
from ...tools import FunctionTool, RunContext
from ...tools.functions import as_tool, describe_errors, is_async, run_function, unwrap
from .partial import PartialAnswer, partial_validator

OutputT = TypeVar("OutputT")

OutputChoice = type[OutputT] | Callable[..., Awaitable[OutputT] | OutputT]
"""A type, or a function that returns the output and whose arguments the model writes."""
OutputSpec = OutputChoice[OutputT] | Sequence[OutputChoice[OutputT]]
"""The type of `Agent.output_type`: one choice, or several for the model to choose from."""


# Type checkers cannot follow a union that is built at run time.
_union: Any = Union


class RejectedAnswer(Exception):  # noqa: N818 - for the model, not for the user
    """The answer is not valid for the output type. The model reads the text."""


class OutputFormat(Generic[OutputT]):
    """The output type of an agent: describes it to the model and validates the answer.

    output_type: `str` accepts any answer. For any other type that pydantic supports (a model,
        dataclass, TypedDict, Literal, union, list, number), the answer is JSON. For a function,
        the answer is its arguments as JSON, and its return value is the output. With several
        choices, the answer is an object whose only key is the name of a choice.

    Raises ToolDefinitionError if a model cannot call the function, TypeError if there is no choice
    or if two choices have the same name.
    """

    def __init__(self, output_type: OutputSpec[OutputT]) -> None:
        is_list = isinstance(output_type, list | tuple)
        listed = cast("Sequence[Any]", output_type if is_list else [output_type])
        if not listed:
            raise TypeError("output_type is an empty list; name at least one type or function")
        self._choices = [_read_choice(choice) for choice in listed]
        _check_names(self._choices)
        (first, *others) = self._choices
        self._is_text = first.type is str and not others
        self._choice_by_model = {_wrap(choice): choice for choice in self._choices if others}
        answer_type = _union[tuple(self._choice_by_model)] if others else first.type
        self._adapter: TypeAdapter[Any] = TypeAdapter(answer_type)
        self.schema = None if self._is_text else self._adapter.json_schema()
        """JSON Schema of the answer; None for free text."""

    @property
    def response_formats(self) -> tuple[ResponseFormat, ...]:
        """What the developer message declares; nothing for `str`."""
        if self.schema is None:
            return ()
        (first, *others) = self._choices
        if others:
            return (ResponseFormat("answer", self.schema),)
        return (ResponseFormat(first.name, self.schema, first.description),)

    async def validate(self, answer: str, context: RunContext[Any]) -> OutputT:
        """Return the output for an answer. An output function is called here.

        Raises RejectedAnswer, whose text the model reads, if the answer is not valid or an output
        function raises ToolError or ToolRetry. Other exceptions of an output function pass through.
        """
        if self._is_text:
            return cast("OutputT", answer)
        try:
            value = self._adapter.validate_json(unwrap(answer))
        except ValidationError as error:
            raise RejectedAnswer("\n".join(describe_errors(error, root="the answer"))) from error
        choice = self._choices[0]
        if self._choice_by_model:
            choice, value = self._choice_by_model[type(value)], value.value
        return cast("OutputT", await choice.build_output(value, context))

    def partial_answer(self) -> PartialAnswer | None:
        """Return a reader for an answer that is still being written; None for free text."""
        return None if self._is_text else PartialAnswer(self._partial_validator)

    @cached_property
    def _partial_validator(self) -> Any:
        return partial_validator(self._adapter.core_schema)


@dataclass(frozen=True, slots=True)
class _Choice:
    """One type or function that the model can choose."""

    name: str
    type: Any
    """The type that pydantic validates; for a function, the model of its arguments."""
    description: str | None = None
    function: FunctionTool[..., Any] | None = None

    async def build_output(self, value: Any, context: RunContext[Any]) -> Any:
        """Return the output for a validated value."""
        if self.function is None:
            return value
        function = self.function.function
        arguments = self.function.arguments.values(value)
        bound = self.function.signature.bind(function, arguments, context)
        try:
            return await run_function(bound, in_thread=not is_async(function))
        except ToolError as error:
            raise RejectedAnswer(str(error)) from error


def _read_choice(choice: Any) -> _Choice:
    """Return a choice of the user. A callable that is not a type is a function."""
    if not isinstance(choice, FunctionTool | partial) and not inspect.isroutine(choice):
        return _Choice(_type_name(choice), choice)
    function = cast("FunctionTool[..., Any]", as_tool(cast("Callable[..., Any]", choice)))
    if function.signature.is_method:
        raise ToolDefinitionError(f"{function.name} is an unbound method; pass a bound method")
    (description,) = function.namespace.tools
    arguments = function.arguments.model
    return _Choice(function.name, arguments, description.description or None, function)


def _type_name(kind: Any) -> str:
    """Return the name of a type without its modules: `Order`, `list_Order`, `int_or_None`."""
    text = kind.__name__ if inspect.isclass(kind) else str(kind)
    without_modules = re.sub(r"[\w<>]+\.", "", text.replace(" | ", "_or_"))
    return "_".join(re.findall(r"\w+", without_modules)) or "answer"


def _wrap(choice: _Choice) -> type[BaseModel]:
    """Return a model of the object that names the choice: `{"Order": {...}}`."""
    field = Field(alias=choice.name, title=choice.name, description=choice.description)
    config = ConfigDict(extra="forbid")
    return create_model(f"{choice.name}_choice", __config__=config, value=(choice.type, field))


def _check_names(choices: Iterable[_Choice]) -> None:
    """Raise TypeError if two choices have the same name."""
    names = [choice.name for choice in choices]
    duplicates = sorted({name for name in names if names.count(name) > 1})
    if duplicates:
        raise TypeError(f"output_type has {', '.join(duplicates)} more than once; rename one")

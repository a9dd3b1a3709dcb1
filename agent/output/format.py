"""From the text of a final answer to the type that was asked for."""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Generic, TypeVar, Union, cast

from anyio import to_thread
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, create_model

from ...errors import ToolDefinitionError, ToolError
from ...harmony import ResponseFormat
from ...tools import FunctionTool, RunContext
from ...tools.functions import as_tool, faults, is_async, unwrapped
from .partial import PartialAnswer, partial_validator

OutputT = TypeVar("OutputT")

OutputChoice = type[OutputT] | Callable[..., Awaitable[OutputT] | OutputT]
"""A type, or a function that makes the output of what the model fills in."""
OutputSpec = OutputChoice[OutputT] | Sequence[OutputChoice[OutputT]]
"""What `Agent.output_type` takes: one choice, or several among which the model chooses."""


# A type is a value here, which no type checker follows.
_union: Any = Union


class RejectedAnswer(Exception):  # noqa: N818 - told to the model, not to the user
    """An answer that is not of the asked type; the text says why, in words for the model."""


class OutputFormat(Generic[OutputT]):
    """The type of a run's output: what the model is told of it, and how its answer is read.

    output_type: `str` takes the answer as it stands. Any other type that pydantic knows (a model,
        dataclass, TypedDict, Literal, union, list, number) is asked for as JSON and validated. A
        function is asked for its arguments; what it returns is the output. Of several choices the
        model names the one it takes: the answer is then an object with that name as its only key.

    Raises ToolDefinitionError for a function that no model could fill in, TypeError for no choice.
    """

    def __init__(self, output_type: OutputSpec[OutputT]) -> None:
        several = isinstance(output_type, list | tuple)
        listed = cast("Sequence[Any]", output_type if several else [output_type])
        if not listed:
            raise TypeError("output_type is an empty list; name at least one type or function")
        self._choices = _named([_choice(one) for one in listed])
        (first, *others) = self._choices
        self._free = first.type is str and not others
        self._tags = {_tag(choice): choice for choice in self._choices} if others else {}
        wanted = _union[tuple(self._tags)] if others else first.type
        self._adapter: TypeAdapter[Any] = TypeAdapter(wanted)
        self.schema = None if self._free else self._adapter.json_schema()
        """JSON Schema of the answer; None for free text."""

    @property
    def response_formats(self) -> tuple[ResponseFormat, ...]:
        """What the developer message says of the type; nothing for `str`."""
        if self.schema is None:
            return ()
        (first, *others) = self._choices
        if others:
            return (ResponseFormat("answer", self.schema),)
        return (ResponseFormat(first.name, self.schema, first.description),)

    async def validate(self, text: str, context: RunContext[Any]) -> OutputT:
        """The answer as the asked type, or what an output function makes of it.

        Raises RejectedAnswer with words that the model can act on. What an output function raises
        is its own, but for ToolError and ToolRetry, whose words go to the model, too.
        """
        if self._free:
            return cast("OutputT", text)
        try:
            value = self._adapter.validate_json(unwrapped(text))
        except ValidationError as error:
            raise RejectedAnswer("\n".join(faults(error, "the answer"))) from error
        choice = self._choices[0]
        if self._tags:
            choice, value = self._tags[type(value)], value.answer
        return cast("OutputT", await choice.made(value, context))

    def partial(self) -> PartialAnswer | None:
        """What reads one answer while it is written; None for free text."""
        return None if self._free else PartialAnswer(self._partial)

    @cached_property
    def _partial(self) -> Any:
        return partial_validator(self._adapter.core_schema)


@dataclass(frozen=True, slots=True)
class _Choice:
    """One of the things that an answer may be."""

    name: str
    type: Any
    """What pydantic validates."""
    description: str | None = None
    function: FunctionTool[..., Any] | None = None

    async def made(self, value: Any, context: RunContext[Any]) -> Any:
        """The output, of a value that was validated."""
        if self.function is None:
            return value
        function = self.function.function
        values = self.function.arguments.values(value)
        ready = self.function.signature.bind(function, values, context)
        try:
            made = ready() if is_async(function) else await to_thread.run_sync(ready)
            return await made if inspect.isawaitable(made) else made
        except ToolError as error:
            raise RejectedAnswer(str(error)) from error


def _choice(one: Any) -> _Choice:
    """A choice as the user named it. What can be called and is no type is a function."""
    if not isinstance(one, FunctionTool | partial) and not inspect.isroutine(one):
        return _Choice(_name(one), one)
    function = cast("FunctionTool[..., Any]", as_tool(cast("Callable[..., Any]", one)))
    if function.signature.is_method:
        raise ToolDefinitionError(
            f"{function.name} is a method without its object; give the bound one"
        )
    (described,) = function.namespace.tools
    model = function.arguments.model
    return _Choice(function.name, model, described.description or None, function)


def _name(kind: Any) -> str:
    """What a type is called, without its modules: `Order`, `list_Order`, `int_or_None`."""
    words = kind.__name__ if inspect.isclass(kind) else str(kind)
    bare = re.sub(r"[\w<>]+\.", "", words.replace(" | ", "_or_"))
    return "_".join(re.findall(r"\w+", bare)) or "answer"


def _tag(choice: _Choice) -> type[BaseModel]:
    """The object in which an answer names its choice: `{"Order": {...}}`."""
    field = Field(alias=choice.name, title=choice.name, description=choice.description)
    config = ConfigDict(extra="forbid")
    return create_model(f"{choice.name}_choice", __config__=config, answer=(choice.type, field))


def _named(choices: Iterable[_Choice]) -> list[_Choice]:
    """The choices. Raises TypeError if two share a name: the model could not tell them apart."""
    listed = list(choices)
    names = [choice.name for choice in listed]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise TypeError(f"output_type names {', '.join(twice)} more than once; rename one")
    return listed

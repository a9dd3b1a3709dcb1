"""From a function's signature to a JSON Schema, and from JSON to its arguments."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from inspect import Parameter
from types import GenericAlias
from typing import Annotated, Any, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, create_model
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticUserError
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema

from ..errors import ToolDefinitionError
from .context import RunContext


class _Schema(GenerateJsonSchema):
    """Leave out what only repeats a name, and be silent where a default has no JSON."""

    ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - pydantic's signature
        return False


@dataclass(frozen=True, slots=True)
class Signature:
    """The parameters of a function that a model can call."""

    takes_context: bool
    parameters: tuple[Parameter, ...]
    """Without the one that takes the context."""
    arguments: TypeAdapter[Any]
    schema: Mapping[str, Any]

    def read(self, text: str, *, strict: bool) -> tuple[list[Any], dict[str, Any]]:
        """Validate a call's JSON; returns positional and keyword arguments.

        Raises pydantic's ValidationError if the JSON does not fit the schema.
        """
        values = self.arguments.validate_json(text, strict=strict or None)
        spread = any(one.kind is Parameter.VAR_POSITIONAL for one in self.parameters)
        positional: list[Any] = []
        keywords: dict[str, Any] = {}
        for index, parameter in enumerate(self.parameters):
            if parameter.kind is Parameter.VAR_KEYWORD:
                keywords.update(values.model_extra or {})
                continue
            value = _value(values, _field(index), parameter)
            if parameter.kind is Parameter.VAR_POSITIONAL:
                positional.extend(value)
            elif parameter.kind is Parameter.KEYWORD_ONLY or not (
                spread or parameter.kind is Parameter.POSITIONAL_ONLY
            ):
                keywords[parameter.name] = value
            else:
                positional.append(value)
        return positional, keywords


def read_signature(
    function: Callable[..., Any], *, bound: bool, descriptions: Mapping[str, str]
) -> Signature:
    """Read what a model must know to call the function.

    bound: the first parameter (`self`) will be filled by Python.
    descriptions: of the parameters, by name, for those whose annotation has none.

    Raises ToolDefinitionError, with the function and the parameter, if JSON cannot carry it.
    """
    hints = _hints(function)
    parameters = list(inspect.signature(function).parameters.values())[1 if bound else 0 :]
    takes_context = bool(parameters) and _is_context(hints.get(parameters[0].name))
    if takes_context:
        del parameters[0]
    name = getattr(function, "__name__", type(function).__name__)
    for parameter in parameters:
        if _is_context(hints.get(parameter.name)):
            raise ToolDefinitionError(
                f"{name}: RunContext belongs to the first parameter, not to {parameter.name!r}"
            )
    try:
        model = _model(name, parameters, hints, descriptions)
        adapter = TypeAdapter[Any](model)
        schema = adapter.json_schema(schema_generator=_Schema)
    except (PydanticInvalidForJsonSchema, PydanticUserError) as error:
        raise ToolDefinitionError(f"{name}: JSON cannot carry its parameters: {error}") from error
    schema.pop("title", None)
    return Signature(takes_context, tuple(parameters), adapter, schema)


def _model(
    name: str,
    parameters: Sequence[Parameter],
    hints: Mapping[str, Any],
    descriptions: Mapping[str, str],
) -> type[BaseModel]:
    """A pydantic model with one field a parameter.

    The fields have neutral names and the parameters' names as aliases: a parameter may be called
    `json` or `_id`, a field may not.
    """
    annotated: Any = Annotated  # a hint is a value here, which no type checker follows
    fields: dict[str, Any] = {}
    extras: Any = None
    for index, parameter in enumerate(parameters):
        hint: Any = hints.get(parameter.name, Any)
        if parameter.kind is Parameter.VAR_KEYWORD:
            extras = hint
            continue
        default = parameter.default
        if parameter.kind is Parameter.VAR_POSITIONAL:
            hint, default = GenericAlias(list, (hint,)), []
        described = FieldInfo.from_annotation(hint).description
        annotation = annotated[
            hint,
            Field(
                alias=parameter.name,
                description=described or descriptions.get(parameter.name),
            ),
        ]
        fields[_field(index)] = (annotation, ... if default is Parameter.empty else default)
    config = ConfigDict(extra="forbid" if extras is None else "allow")
    hints_of_base: dict[str, Any] = {}
    if extras is not None:
        hints_of_base["__pydantic_extra__"] = GenericAlias(dict, (str, extras))
    namespace: dict[str, Any] = {
        "model_config": config,
        "__annotations__": hints_of_base,
        "__module__": __name__,
    }
    return create_model(name, __base__=type("Arguments", (BaseModel,), namespace), **fields)


def _field(index: int) -> str:
    return f"argument_{index}"


def _value(values: BaseModel, field: str, parameter: Parameter) -> Any:
    """What was given, or Python's own default: pydantic's would be a copy of it."""
    plain = parameter.default is not Parameter.empty and not isinstance(
        parameter.default, FieldInfo
    )
    if plain and field not in values.model_fields_set:
        return parameter.default
    return getattr(values, field)


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    inner = function.func if isinstance(function, functools.partial) else function
    if not (inspect.isroutine(inner) or inspect.isclass(inner)):
        inner = type(inner).__call__
    return get_type_hints(inner, include_extras=True)


def _is_context(annotation: Any) -> bool:
    return annotation is RunContext or get_origin(annotation) is RunContext

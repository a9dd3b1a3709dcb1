"""A function's parameters as JSON Schema, and JSON as their values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from inspect import Parameter
from types import GenericAlias
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, create_model
from pydantic.errors import PydanticUserError
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import SchemaError

from ...errors import ToolDefinitionError

# A hint is a value here, which no type checker follows.
_annotated: Any = Annotated

# What pydantic raises at an annotation it cannot work with.
_FAILURES = (PydanticUserError, SchemaError, NameError, TypeError)


class _Schema(GenerateJsonSchema):
    """Leave out titles that repeat a name, and be silent about a default that has no JSON."""

    ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        return False


class Arguments:
    """The arguments of one function, on their way in.

    function: its name, for errors.
    descriptions: of the parameters by name, for those whose annotation has none.

    Raises ToolDefinitionError, with the function and the parameter, if JSON cannot carry it.
    """

    def __init__(
        self, function: str, parameters: Sequence[Parameter], descriptions: Mapping[str, str]
    ) -> None:
        self._parameters = tuple(parameters)
        try:
            self.model = _model(function, parameters, descriptions)
            schema = self.model.model_json_schema(schema_generator=_Schema)
        except _FAILURES as error:
            raise _undescribable(function, parameters, error) from error
        schema.pop("title", None)
        self.schema = schema
        """JSON Schema, of type object."""

    def read(self, text: str, *, strict: bool) -> dict[str, Any]:
        """Validate a call's JSON; returns values by parameter, without those left to default.

        Raises pydantic's ValidationError if the JSON does not fit the schema.
        """
        return self.values(self.model.model_validate_json(text, strict=strict or None))

    def values(self, values: BaseModel) -> dict[str, Any]:
        """Values by parameter, of arguments that were validated as `model`."""
        read: dict[str, Any] = {}
        for index, parameter in enumerate(self._parameters):
            field, default = _field(index), parameter.default
            if parameter.kind is Parameter.VAR_KEYWORD:
                read[parameter.name] = values.model_extra
            elif field in values.model_fields_set or _is_pydantic(default):
                read[parameter.name] = getattr(values, field)
        return read


def _model(
    name: str, parameters: Sequence[Parameter], descriptions: Mapping[str, str]
) -> type[BaseModel]:
    """A model with one field a parameter.

    The fields have neutral names, and the parameters' names as aliases: a parameter may be called
    `json` or `_id`, a model's field may not.
    """
    fields: dict[str, Any] = {}
    config = ConfigDict(extra="forbid")
    extras: dict[str, Any] = {}
    for index, parameter in enumerate(parameters):
        if parameter.kind is Parameter.VAR_KEYWORD:
            config = ConfigDict(extra="allow")
            extras = {"__pydantic_extra__": GenericAlias(dict, (str, parameter.annotation))}
        else:
            fields[_field(index)] = _field_of(parameter, descriptions.get(parameter.name))
    namespace = {"model_config": config, "__annotations__": extras, "__module__": __name__}
    return create_model(name, __base__=type("Arguments", (BaseModel,), namespace), **fields)


def _field_of(parameter: Parameter, description: str | None) -> tuple[Any, Any]:
    """What create_model takes: an annotation, and a default or a field without one."""
    annotation: Any = parameter.annotation
    default: Any = parameter.default
    if parameter.kind is Parameter.VAR_POSITIONAL:
        annotation, default = GenericAlias(list, (annotation,)), []
    own = FieldInfo.from_annotation(annotation)
    field = Field(
        alias=own.alias or parameter.name,
        validation_alias=own.validation_alias or parameter.name,
        description=own.description or description,
    )
    return _annotated[annotation, field], Field() if default is Parameter.empty else default


def _field(index: int) -> str:
    return f"argument_{index}"


def _is_pydantic(default: Any) -> bool:
    """Whether a default is pydantic's to make; of Python's own, it would make a copy."""
    return default is Parameter.empty or isinstance(default, FieldInfo)


def _undescribable(
    function: str, parameters: Sequence[Parameter], error: Exception
) -> ToolDefinitionError:
    """Name the parameter that pydantic stumbled over, and the way out."""
    reason = str(error).partition("\n")[0]
    for parameter in parameters:
        try:
            TypeAdapter[Any](parameter.annotation).json_schema(schema_generator=_Schema)
        except _FAILURES:
            return ToolDefinitionError(
                f"{function}: JSON cannot carry {parameter.name!r} ({reason}); what a model cannot "
                "know comes in by RunContext.deps, or is filled in by functools.partial"
            )
    return ToolDefinitionError(f"{function}: no JSON Schema for its parameters ({reason})")

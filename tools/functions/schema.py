"""The JSON Schema of a function's parameters, and the validation of a call's arguments."""

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

# Annotations are built at run time here, which type checkers do not support.
_annotated: Any = Annotated

# What pydantic raises for an annotation that it does not support.
_FAILURES = (PydanticUserError, SchemaError, NameError, TypeError)


class _Schema(GenerateJsonSchema):
    """A schema without titles that repeat a name, and without warnings about defaults."""

    ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        return False


class Arguments:
    """The schema and the validation of one function's arguments.

    function: its name, for errors.
    descriptions: of the parameters, by name. A description in an annotation wins.

    Raises ToolDefinitionError, with the function and the parameter, for a type that JSON does not
    support.
    """

    def __init__(
        self, function: str, parameters: Sequence[Parameter], descriptions: Mapping[str, str]
    ) -> None:
        self._parameters = tuple(parameters)
        try:
            self.model = _build_model(function, parameters, descriptions)
            schema = self.model.model_json_schema(schema_generator=_Schema)
        except _FAILURES as error:
            raise _schema_error(function, parameters, error) from error
        schema.pop("title", None)
        self.schema = schema
        """JSON Schema of type object."""

    def read(self, text: str, *, strict: bool) -> dict[str, Any]:
        """Validate the JSON of a call, and return the values by parameter, without defaults.

        Raises pydantic's ValidationError if the JSON does not fit the schema.
        """
        return self.values(self.model.model_validate_json(text, strict=strict or None))

    def values(self, values: BaseModel) -> dict[str, Any]:
        """Return the values by parameter, from an instance of `model`."""
        arguments: dict[str, Any] = {}
        for index, parameter in enumerate(self._parameters):
            field, default = _field_name(index), parameter.default
            if parameter.kind is Parameter.VAR_KEYWORD:
                arguments[parameter.name] = values.model_extra
            elif field in values.model_fields_set or _is_made_by_pydantic(default):
                arguments[parameter.name] = getattr(values, field)
        return arguments


def _build_model(
    name: str, parameters: Sequence[Parameter], descriptions: Mapping[str, str]
) -> type[BaseModel]:
    """Build a pydantic model with one field per parameter.

    The fields have neutral names, with the parameters' names as aliases: a parameter can have the
    name `json` or `_id`, but a field of a model cannot.
    """
    fields: dict[str, Any] = {}
    config = ConfigDict(extra="forbid")
    extras: dict[str, Any] = {}
    for index, parameter in enumerate(parameters):
        if parameter.kind is Parameter.VAR_KEYWORD:
            config = ConfigDict(extra="allow")
            extras = {"__pydantic_extra__": GenericAlias(dict, (str, parameter.annotation))}
        else:
            fields[_field_name(index)] = _build_field(parameter, descriptions.get(parameter.name))
    namespace = {"model_config": config, "__annotations__": extras, "__module__": __name__}
    return create_model(name, __base__=type("Arguments", (BaseModel,), namespace), **fields)


def _build_field(parameter: Parameter, description: str | None) -> tuple[Any, Any]:
    """Return an annotation and a default, as `create_model` takes them."""
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


def _field_name(index: int) -> str:
    return f"argument_{index}"


def _is_made_by_pydantic(default: Any) -> bool:
    """Return whether pydantic makes the default. It would copy a default of Python's."""
    return default is Parameter.empty or isinstance(default, FieldInfo)


def _schema_error(
    function: str, parameters: Sequence[Parameter], error: Exception
) -> ToolDefinitionError:
    """Return an error that names the parameter that pydantic does not support, and the fix."""
    reason = str(error).partition("\n")[0]
    for parameter in parameters:
        try:
            TypeAdapter[Any](parameter.annotation).json_schema(schema_generator=_Schema)
        except _FAILURES:
            return ToolDefinitionError(
                f"{function}: the type of {parameter.name!r} has no JSON form ({reason}); pass "
                "what the model cannot know in RunContext.deps, or set it with functools.partial"
            )
    return ToolDefinitionError(f"{function}: its parameters have no JSON Schema ({reason})")

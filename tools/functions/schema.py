"""The JSON Schema of a function's parameters, and the validation of a call's arguments."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Mapping, Sequence
from inspect import Parameter
from types import GenericAlias
from typing import Annotated, Any, cast, get_args, get_origin

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    RootModel,
    TypeAdapter,
    ValidationError,
    create_model,
)
from pydantic.errors import PydanticUserError
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import InitErrorDetails, SchemaError, from_json, to_json
from typing_extensions import Doc, is_typeddict

from ...errors import ToolDefinitionError

# Annotations are built at run time here, which type checkers do not support.
_annotated: Any = Annotated
_root_model: Any = RootModel

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
        self.model: type[BaseModel]
        """Validates the arguments."""
        try:
            self.model, self.schema = _build_whole_or_fields(function, parameters, descriptions)
            self._is_whole = issubclass(self.model, _root_model)
        except _FAILURES as error:
            raise _schema_error(function, parameters, error) from error
        self.description = ""
        """The description of the only parameter and of its type, if it is all of the arguments."""
        if self._is_whole:
            (parameter,) = parameters
            own = _description_of(parameter) or descriptions.get(parameter.name, "")
            of_type = self.schema.pop("description", "")
            self.description = "\n\n".join(filter(None, dict.fromkeys([own, of_type])))

    def read(self, text: str, *, strict: bool) -> dict[str, Any]:
        """Validate the JSON of a call, and return the values by parameter, without defaults.

        Raises pydantic's ValidationError if the JSON does not fit the schema.
        """
        if self._is_whole:
            text = self._read_whole(text)
        return self.values(self.model.model_validate_json(text, strict=strict or None))

    def values(self, values: BaseModel) -> dict[str, Any]:
        """Return the values by parameter, from an instance of `model`."""
        arguments: dict[str, Any] = {}
        if self._is_whole:
            return {self._parameters[0].name: cast("Any", values).root}
        for index, parameter in enumerate(self._parameters):
            field, default = _field_name(index), parameter.default
            if parameter.kind is Parameter.VAR_KEYWORD:
                arguments[parameter.name] = values.model_extra
            elif field in values.model_fields_set or _is_made_by_pydantic(default):
                arguments[parameter.name] = getattr(values, field)
        return arguments

    def _read_whole(self, text: str) -> str:
        """Return the JSON of the only parameter, also if the model wrote its name around it.

        Raises ValidationError for members that the schema forbids, which pydantic would drop.
        """
        (parameter,) = self._parameters
        members = self.schema.get("properties", {})
        try:
            value = from_json(text)
        except ValueError:
            return text  # pydantic says what is wrong
        if not isinstance(value, dict):
            return text
        arguments = cast("dict[str, Any]", value)
        if [*arguments] == [parameter.name] and parameter.name not in members:
            return to_json(arguments[parameter.name]).decode()
        unknown = [name for name in arguments if name not in members]
        if unknown and self.schema.get("additionalProperties") is False:
            errors: list[InitErrorDetails] = [
                {"type": "extra_forbidden", "loc": (name,), "input": arguments[name]}
                for name in unknown
            ]
            raise ValidationError.from_exception_data(parameter.name, errors)
        return text


def _build_whole_or_fields(
    name: str, parameters: Sequence[Parameter], descriptions: Mapping[str, str]
) -> tuple[type[BaseModel], dict[str, Any]]:
    """Return a model of the arguments, and its JSON Schema.

    If the only parameter is an object, its members are the arguments: the model needs no object
    around it.
    """
    if len(parameters) == 1 and _is_whole(parameters[0]):
        config = ConfigDict(use_attribute_docstrings=_needs_docstrings(parameters))
        base = type("Whole", (BaseModel,), {"model_config": config, "__module__": __name__})
        model: type[BaseModel] = create_model(
            name, __base__=(base, _root_model[parameters[0].annotation])
        )
        schema = _whole_schema(parameters[0], model)
        if schema.get("type") == "object":
            return model, schema
    model = _build_model(name, parameters, descriptions)
    schema = model.model_json_schema(schema_generator=_Schema)
    schema.pop("title", None)
    return model, schema


def _needs_docstrings(parameters: Sequence[Parameter]) -> bool:
    """Return whether docstrings below attributes describe any of the parameters.

    They do in a dataclass and in a TypedDict; a model decides for itself. Pydantic searches for
    them in the source, which takes 10 ms even for our own model, which has none.
    """
    return any(_contains_class_with_attributes(parameter.annotation) for parameter in parameters)


def _contains_class_with_attributes(kind: Any) -> bool:
    if dataclasses.is_dataclass(kind) or is_typeddict(kind):
        return True
    inner = [*get_args(kind), get_origin(kind), getattr(kind, "__supertype__", None)]
    return any(_contains_class_with_attributes(part) for part in inner if part is not None)


def _is_whole(parameter: Parameter) -> bool:
    """Return whether a parameter is required, and is a model, a dataclass or a TypedDict."""
    kind = _class_of(parameter)
    has_members = (
        dataclasses.is_dataclass(kind)
        or is_typeddict(kind)
        or (inspect.isclass(kind) and issubclass(kind, BaseModel))
    )
    named = parameter.kind not in {Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD}
    return named and parameter.default is Parameter.empty and has_members


def _whole_schema(parameter: Parameter, model: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON Schema of a parameter that is the whole of the arguments.

    Unknown members are forbidden, like unknown arguments, except where a class decides for itself.
    """
    schema = model.model_json_schema(schema_generator=_Schema)
    kind = _class_of(parameter)
    if reference := schema.pop("$ref", None):
        name = reference.removeprefix("#/$defs/")
        schema = schema["$defs"][name] | schema
        if reference not in to_json(schema).decode():
            del schema["$defs"][name]
    if not schema.get("$defs", True):
        del schema["$defs"]
    if "extra" not in getattr(kind, "__pydantic_config__", {}) and not issubclass(kind, BaseModel):
        schema["additionalProperties"] = False
    schema.pop("title", None)
    return schema


def _class_of(parameter: Parameter) -> Any:
    kind: Any = parameter.annotation
    if get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    return get_origin(kind) or kind


def _build_model(
    name: str, parameters: Sequence[Parameter], descriptions: Mapping[str, str]
) -> type[BaseModel]:
    """Build a pydantic model with one field per parameter.

    The fields have neutral names, with the parameters' names as aliases: a parameter can have the
    name `json` or `_id`, but a field of a model cannot.
    """
    fields: dict[str, Any] = {}
    config = ConfigDict(extra="forbid", use_attribute_docstrings=_needs_docstrings(parameters))
    extras: dict[str, Any] = {}
    for index, parameter in enumerate(parameters):
        if parameter.kind is Parameter.VAR_KEYWORD:
            config = ConfigDict(
                extra="allow", use_attribute_docstrings=_needs_docstrings(parameters)
            )
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
        description=_description_of(parameter) or description,
    )
    return _annotated[annotation, field], Field() if default is Parameter.empty else default


def _description_of(parameter: Parameter) -> str | None:
    """Return the description in an annotation, such as `Annotated[int, Field(description="...")]`.

    `Annotated[int, "..."]` and `Annotated[int, Doc("...")]` have one too.
    """
    own = FieldInfo.from_annotation(parameter.annotation)
    texts = (item.documentation if isinstance(item, Doc) else item for item in own.metadata)
    return own.description or next((text for text in texts if isinstance(text, str)), None)


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

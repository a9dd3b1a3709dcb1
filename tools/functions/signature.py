"""A function's signature: the parameters that the model sets, and those that it does not see."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import Parameter
from types import SimpleNamespace
from typing import Any, get_origin, get_type_hints

from ...errors import ToolDefinitionError
from ..protocol import RunContext
from .callables import definition_of, name_of, partial_keywords


@dataclass(frozen=True, slots=True)
class Signature:
    """The parameters of a function that a model can call."""

    python: inspect.Signature
    """All parameters, except `self` of a method."""
    parameters: tuple[Parameter, ...]
    """The parameters that the model sets. Annotations are types, not strings."""
    context: str | None
    """Name of the parameter that receives the RunContext."""
    is_method: bool
    """Whether the first parameter is `self` or `cls` and is not bound yet."""

    def bind(
        self, function: Callable[..., Any], values: Mapping[str, Any], context: RunContext[Any]
    ) -> Callable[[], Any]:
        """Return the call as a function without parameters.

        values: arguments by parameter. Missing ones get the defaults of the function.
        """
        bound = self.python.bind_partial()
        bound.arguments.update(values)
        if self.context is not None:
            bound.arguments[self.context] = context
        bound.apply_defaults()
        return functools.partial(function, *bound.args, **bound.kwargs)


def read_signature(function: Callable[..., Any]) -> Signature:
    """Read a function's signature.

    The model neither sees nor sets the keywords of a partial.

    Raises ToolDefinitionError if an annotation uses an unknown name, or if RunContext is not the
    first parameter.
    """
    python = inspect.signature(function)
    first = next(iter(python.parameters.values()), None)
    is_method = first is not None and first.name in {"self", "cls"} and not _annotated(first)
    if is_method:
        python = python.replace(parameters=list(python.parameters.values())[1:])
    preset = partial_keywords(function)
    names = _known_names(function)
    parameters: list[Parameter] = []
    context: str | None = None
    for index, parameter in enumerate(python.parameters.values()):
        if parameter.name in preset:
            continue
        if not _is_context(parameter.annotation):
            parameter = _resolve_annotation(parameter, names, name_of(function))  # noqa: PLW2901
        if not _is_context(parameter.annotation):
            parameters.append(parameter)
        elif index == 0:
            context = parameter.name
        else:
            raise ToolDefinitionError(
                f"{name_of(function)}: {parameter.name!r} is annotated RunContext, "
                "which is only allowed for the first parameter; move it there"
            )
    return Signature(python, tuple(parameters), context, is_method)


def _known_names(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the names that annotations can use: those of the module and of the closure."""
    inner = definition_of(function)
    inner = getattr(inner, "__func__", inner)
    if not inspect.isfunction(inner):
        return {}
    return {**inner.__globals__, **inspect.getclosurevars(inner).nonlocals}


def _resolve_annotation(parameter: Parameter, names: dict[str, Any], function: str) -> Parameter:
    """Return the parameter with its annotation evaluated; without an annotation, it is Any.

    Each annotation is evaluated on its own: a return annotation, or the type inside
    `RunContext[...]`, may be imported for type checkers only.
    """
    if not _annotated(parameter):
        return parameter.replace(annotation=Any)
    holder = SimpleNamespace(__annotations__={parameter.name: parameter.annotation})
    try:
        hints = get_type_hints(holder, globalns=names, include_extras=True)
    except NameError as error:
        raise ToolDefinitionError(
            f"{function}: the annotation of {parameter.name!r} uses {error.name!r}, which is not "
            "defined at run time; define or import it at the top level of the module"
        ) from error
    return parameter.replace(annotation=hints[parameter.name])


def _annotated(parameter: Parameter) -> bool:
    return parameter.annotation is not Parameter.empty


def _is_context(annotation: Any) -> bool:
    if isinstance(annotation, str):
        return annotation.partition("[")[0].rpartition(".")[2] == RunContext.__name__
    return annotation is RunContext or get_origin(annotation) is RunContext

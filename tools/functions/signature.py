"""A function's signature: what the model fills in, and what Python does."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import Parameter
from types import SimpleNamespace
from typing import Any, get_origin, get_type_hints

from ...errors import ToolDefinitionError
from ..context import RunContext
from .callables import definition, filled_in, name_of


@dataclass(frozen=True, slots=True)
class Signature:
    """The parameters of a function that a model can call."""

    python: inspect.Signature
    """All of them, but for a method's `self`."""
    parameters: tuple[Parameter, ...]
    """Those the model fills in; annotations are types, not strings."""
    context: str | None
    """The parameter that takes the run's context."""
    is_method: bool
    """Whether `self` or `cls` comes first, and waits to be bound."""

    def bind(
        self, function: Callable[..., Any], values: Mapping[str, Any], context: RunContext[Any]
    ) -> Callable[[], Any]:
        """The call, ready to be made; what is not among the values has Python's own default."""
        bound = self.python.bind_partial()
        bound.arguments.update(values)
        if self.context is not None:
            bound.arguments[self.context] = context
        bound.apply_defaults()
        return functools.partial(function, *bound.args, **bound.kwargs)


def read_signature(function: Callable[..., Any]) -> Signature:
    """Read a function's signature.

    What a partial has filled in is filled in: the model neither sees nor changes it.

    Raises ToolDefinitionError if an annotation names nothing, or RunContext is out of place.
    """
    python = inspect.signature(function)
    first = next(iter(python.parameters.values()), None)
    is_method = first is not None and first.name in {"self", "cls"} and not _annotated(first)
    if is_method:
        python = python.replace(parameters=list(python.parameters.values())[1:])
    filled = filled_in(function)
    names = _names(function)
    parameters: list[Parameter] = []
    context: str | None = None
    for index, parameter in enumerate(python.parameters.values()):
        if parameter.name in filled:
            continue
        if not _is_context(parameter.annotation):
            parameter = _resolved(parameter, names, name_of(function))  # noqa: PLW2901
        if not _is_context(parameter.annotation):
            parameters.append(parameter)
        elif index == 0:
            context = parameter.name
        else:
            raise ToolDefinitionError(
                f"{name_of(function)}: {parameter.name!r} is annotated RunContext, "
                "which only the first parameter may be; move it there"
            )
    return Signature(python, tuple(parameters), context, is_method)


def _names(function: Callable[..., Any]) -> dict[str, Any]:
    """What annotations may name: the module's names, and those the function closes over."""
    inner = definition(function)
    inner = getattr(inner, "__func__", inner)
    if not inspect.isfunction(inner):
        return {}
    return {**inner.__globals__, **inspect.getclosurevars(inner).nonlocals}


def _resolved(parameter: Parameter, names: dict[str, Any], function: str) -> Parameter:
    """The parameter with its annotation evaluated; one without any takes what comes.

    Each parameter for itself: a return annotation, or the type inside `RunContext[...]`, may be
    imported for type checkers alone.
    """
    if not _annotated(parameter):
        return parameter.replace(annotation=Any)
    holder = SimpleNamespace(__annotations__={parameter.name: parameter.annotation})
    try:
        hints = get_type_hints(holder, globalns=names, include_extras=True)
    except NameError as error:
        raise ToolDefinitionError(
            f"{function}: the annotation of {parameter.name!r} names {error.name!r}, which its "
            "module does not know when it runs; define or import it at the module's top level"
        ) from error
    return parameter.replace(annotation=hints[parameter.name])


def _annotated(parameter: Parameter) -> bool:
    return parameter.annotation is not Parameter.empty


def _is_context(annotation: Any) -> bool:
    if isinstance(annotation, str):
        return annotation.partition("[")[0].rpartition(".")[2] == RunContext.__name__
    return annotation is RunContext or get_origin(annotation) is RunContext

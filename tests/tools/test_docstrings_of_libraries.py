"""Hundreds of functions as tools: we tell a model what pydantic-ai and openai-agents tell."""

from __future__ import annotations

import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from types import MethodType, ModuleType
from typing import Any, cast

import agents
import pydantic_ai
import pytest

from ossia.tools import ToolDefinitionError, tool

# anyio's docstrings are in Sphinx's style, the others' in Google's; playwright's are in NumPy's.
LIBRARIES = {"anyio": 60, "docker": 100, "rich": 100, "playwright.sync_api": 100}

FOR_PROGRAMMERS = re.compile(r"^:raises .*(\n +.*)*", re.MULTILINE)
"""Which exceptions a function raises. Peers leave it out too, unless they misread the style."""


@dataclass(frozen=True)
class Told:
    """What a model reads about a function."""

    description: str
    parameters: dict[str, str]

    @property
    def everything(self) -> str:
        return "\n".join([self.description, *self.parameters.values()])


@pytest.mark.parametrize(("library", "least"), LIBRARIES.items(), ids=LIBRARIES)
def test_nothing_that_peers_tell_is_missing(library: str, least: int) -> None:
    compared = 0
    missing: list[str] = []
    for function in list(public_functions(library))[:250]:
        ours = told_by_us(function)
        for peer, theirs in told_by_peers(function):
            if ours is None:
                missing.append(f"{peer} {function.__qualname__}: we refuse it")
                continue
            compared += 1
            lines = differences(theirs, ours)
            missing += [f"{peer} {function.__qualname__} {line}" for line in lines]
    assert missing == []
    assert compared >= least


def differences(theirs: Told, ours: Told) -> Iterator[str]:
    """Yield the lines that only they tell."""
    for line in FOR_PROGRAMMERS.sub("", theirs.description).splitlines():
        if not is_in(line, ours.everything):
            yield line
    for name, description in theirs.parameters.items():
        for line in description.splitlines():
            # Other keywords and directives are described with the function.
            is_of_function = line.startswith(".. ") or name not in ours.parameters
            if not is_in(line, ours.everything if is_of_function else ours.parameters[name]):
                yield f"{name}: {line}"


def is_in(line: str, text: str) -> bool:
    """Return whether a text has the words of a line in a row."""
    return normalized(line) in normalized(text)


def normalized(text: str) -> str:
    return " ".join(["", *re.findall(r"\w+", text), ""])


def told_by_us(function: Callable[..., Any]) -> Told | None:
    try:
        (declaration,) = tool(function).namespace.tools
    except ToolDefinitionError:
        return None
    return Told(declaration.description, descriptions(declaration.parameters))


def told_by_peers(function: Callable[..., Any]) -> Iterator[tuple[str, Told]]:
    with suppress(Exception):  # what it refuses, it tells nobody
        theirs = pydantic_ai.Tool(cast("Any", function)).tool_def
        described = re.sub(r"</?(summary|returns|description|type)>", "", theirs.description or "")
        yield "pydantic-ai", Told(described, descriptions(theirs.parameters_json_schema))
    with suppress(Exception):
        other = agents.function_tool(function, strict_mode=False)
        yield "openai-agents", Told(other.description, descriptions(other.params_json_schema))


def descriptions(schema: Mapping[str, Any] | None) -> dict[str, str]:
    properties: dict[str, Any] = (schema or {}).get("properties", {})
    return {name: str(value.get("description", "")) for name, value in properties.items()}


def public_functions(library: str) -> Iterator[Callable[..., Any]]:
    """Yield the functions and methods of a library that have a docstring."""
    seen: set[object] = set()
    for module in modules(library):
        for value in list(vars(module).values()):
            members = vars(value).values() if inspect.isclass(value) else [value]
            for member in list(members):
                if member in seen if inspect.isfunction(member) else True:
                    continue
                seen.add(member)
                if is_documented(member, library):
                    yield MethodType(member, object()) if inspect.isclass(value) else member


def is_documented(function: Callable[..., Any], library: str) -> bool:
    """Return whether a function is the library's own, and one that a peer reads as it is meant."""
    return (
        function.__module__.startswith(library.partition(".")[0])
        and not function.__name__.startswith("_")
        and not inspect.isgeneratorfunction(inspect.unwrap(function))
        # Peers take a section for text if a blank line follows its header.
        and re.search(r"Args:\n\s*\n", inspect.getdoc(function) or "Args:\n\n") is None
    )


def modules(library: str) -> Iterator[ModuleType]:
    root = import_module(library)
    yield root
    for found in pkgutil.walk_packages(getattr(root, "__path__", []), f"{library}."):
        with suppress(ImportError):  # for other platforms, or of an extra
            yield import_module(found.name)

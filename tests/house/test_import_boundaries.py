"""Folders are entered through their `__init__.py`, and the layers of the agent point down."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter

import pytest

from tests.house.sources import Source, absolute, imports, sources

AGENT_LAYERS = (
    "settings switches usage shared_resource",
    "engines",
    "output context hooks events result journal limits",
    "config",
    "run",
    "agent",
    "cli serving viewer telemetry cluster evals testing",
)
"""The parts of ossia.agent, lowest layer first. A part imports only its own and lower layers."""

AGENT_LEVELS = {part: level for level, layer in enumerate(AGENT_LAYERS) for part in layer.split()}


@pytest.mark.parametrize("name", sources())
def test_another_folder_is_imported_through_its_package(name: str) -> None:
    """A module may be imported directly only from its own folder and from folders below it."""
    source = sources()[name]
    crossing = [
        f"line {line}: {module}"
        for line, module in imported_modules(source)
        if not f"{source.package}.".startswith(f"{sources()[module].package}.")
    ]
    assert crossing == []


@pytest.mark.parametrize("name", sources())
def test_no_function_imports_our_own_modules(name: str) -> None:
    source = sources()[name]
    found = {
        f"{function.name}, line {getattr(node, 'lineno', 0)}"
        for function in ast.walk(source.tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if is_import_of_ours(node)
    }
    assert found == set()


def test_every_part_of_the_agent_has_a_layer() -> None:
    assert {part for name in sources() if (part := agent_part(name))} <= AGENT_LEVELS.keys()


@pytest.mark.parametrize("name", [name for name in sources() if name.startswith("ossia.agent.")])
def test_the_layers_of_the_agent_point_down(name: str) -> None:
    level = AGENT_LEVELS[agent_part(name)]
    wrong = {
        module
        for module in imports(sources()[name], sources())
        if (part := agent_part(module)) and AGENT_LEVELS[part] > level
    }
    assert wrong == set()


def test_the_parts_of_the_agent_never_form_a_cycle() -> None:
    graph: dict[str, set[str]] = {}
    for name, source in sources().items():
        part = agent_part(name)
        parts = {agent_part(module) for module in imports(source, sources())}
        graph.setdefault(part, set()).update(parts - {part, ""})
    del graph[""]
    TopologicalSorter(graph).prepare()


def agent_part(name: str) -> str:
    """Return `run` for `ossia.agent.run.loop`, and `` for a module outside ossia.agent."""
    return name.split(".")[2] if name.startswith("ossia.agent.") else ""


def imported_modules(source: Source) -> Iterator[tuple[int, str]]:
    """Yield the line and name of each import of a module that is not a package.

    A name that a package re-exports is not such an import, even if it is also a module's name.
    """
    for node in ast.walk(source.tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = absolute(source, node)
            others = {alias.name for alias in node.names} - exports(base)
            names = [base, *(f"{base}.{name}" for name in others)]
        for name in names:
            if name in sources() and not sources()[name].is_package:
                yield getattr(node, "lineno", 0), name


def exports(package: str) -> set[str]:
    """Return the names that a package's `__init__.py` imports."""
    source = sources().get(package)
    if source is None or not source.is_package:
        return set()
    nodes = [node for node in source.tree.body if isinstance(node, ast.ImportFrom)]
    return {alias.asname or alias.name for node in nodes for alias in node.names}


def is_import_of_ours(node: ast.AST) -> bool:
    """Tell whether a node imports one of our modules, also by `import_module` with a constant."""
    match node:
        case ast.ImportFrom(level=level, module=module):
            return bool(level) or (module or "").split(".")[0] == "ossia"
        case ast.Import(names=names):
            return any(alias.name.split(".")[0] == "ossia" for alias in names)
        case ast.Call(
            func=ast.Attribute(attr="import_module") | ast.Name(id="import_module" | "__import__"),
            args=[ast.Constant(value=str(module)), *_],
        ):
            return module.startswith((".", "ossia"))
        case _:
            return False

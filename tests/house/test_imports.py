"""Who may import whom: down only, never in a circle, and harmony hardly anything."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from graphlib import TopologicalSorter
from importlib.metadata import packages_distributions

import pytest

from tests.house.sources import ROOT, absolute, imports, sources

MAY_IMPORT = {
    "": set[str](),
    "errors": set[str](),
    "harmony": {"errors"},
    "sandbox": {"errors"},
    "tools": {"errors", "harmony", "sandbox"},
    "agent": {"errors", "harmony", "sandbox", "tools"},
}
HARMONY_STANDS_ON = {"pydantic", "tiktoken"}
IMPURE = {"asyncio", "http", "multiprocessing", "socket", "subprocess", "urllib"}
IN_THE_SANDBOX = "ossia.sandbox.kernel"
"""Its modules are sent into sandboxes, and stand on what the image has."""
COMES_WITH = {"pydantic_core": "pydantic", "requests": "docker"}
"""Halves of a dependency that are imported by a name of their own."""


@pytest.mark.parametrize("name", sources())
def test_imports_point_down(name: str) -> None:
    source = sources()[name]
    ours = {module for module in imports(source, sources()) if module.startswith("ossia")}
    folders = {sources()[module].folder for module in ours}
    assert folders <= MAY_IMPORT[source.folder] | {source.folder}


def test_imports_never_run_in_a_circle() -> None:
    graph = {
        name: {module for module in imports(source, sources()) if module in sources()}
        for name, source in sources().items()
    }
    TopologicalSorter(graph).prepare()


def test_only_the_command_line_stands_on_the_command_line() -> None:
    users = {
        name
        for name, source in sources().items()
        if any(module.startswith("ossia.agent.cli") for module in imports(source, sources()))
    }
    assert {name for name in users if not name.startswith("ossia.agent.cli")} == set()


@pytest.mark.parametrize("name", [name for name in sources() if name != "ossia"])
def test_sources_import_each_other_relatively(name: str) -> None:
    source = sources()[name]
    nodes = [node for node in ast.walk(source.tree) if isinstance(node, ast.ImportFrom)]
    modules = [absolute(source, node) for node in nodes if not node.level]
    assert [module for module in modules if module.split(".")[0] == "ossia"] == []


def test_the_root_imports_nothing_relatively() -> None:
    # A relative re-export makes pytest load the package twice.
    tree = sources()["ossia"].tree
    assert not any(node.level for node in ast.walk(tree) if isinstance(node, ast.ImportFrom))


def test_harmony_is_pure() -> None:
    found = {
        module.split(".")[0]
        for source in sources().values()
        if source.folder == "harmony"
        for module in imports(source, sources())
    }
    foreign = found - {"ossia"} - sys.stdlib_module_names
    assert foreign <= HARMONY_STANDS_ON
    assert not found & IMPURE


def test_importing_harmony_loads_nothing_heavy() -> None:
    code = "import sys, ossia.harmony; print(*{name.split('.')[0] for name in sys.modules})"
    loaded = subprocess.check_output([sys.executable, "-c", code], text=True).split()
    assert {"ossia", "tiktoken"} <= set(loaded)
    assert not {"anyio", "docker", "httpx", "playwright", "rich", "typer"} & set(loaded)


def test_every_foreign_import_is_a_declared_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = (name for names in project["optional-dependencies"].values() for name in names)
    declared = {normal(name) for name in (*project["dependencies"], *extras)}
    distributions = packages_distributions()
    foreign = {
        module.split(".")[0]: name
        for name, source in sources().items()
        if not name.startswith(IN_THE_SANDBOX)
        for module in imports(source, sources())
        if module.split(".")[0] not in {"ossia", *sys.stdlib_module_names}
    }
    undeclared = {
        module: name
        for module, name in foreign.items()
        if COMES_WITH.get(module) not in declared
        and not declared & {normal(known) for known in distributions.get(module, [module])}
    }
    assert undeclared == {}


def test_what_runs_in_a_sandbox_brings_nothing_of_ours_along() -> None:
    inside = {name: source for name, source in sources().items() if name.startswith(IN_THE_SANDBOX)}
    found = {module for source in inside.values() for module in imports(source, sources())}
    assert {module for module in found if module.startswith("ossia")} <= inside.keys()


def normal(requirement: str) -> str:
    """The name in `Docstring_Parser>=0.16`, as registries compare names."""
    name = requirement.split(";", maxsplit=1)[0]
    for mark in "[<>=!~ ":
        name = name.split(mark)[0]
    return name.lower().replace("_", "-").replace(".", "-")

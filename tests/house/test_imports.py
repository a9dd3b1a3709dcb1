"""Which module may import which."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from graphlib import TopologicalSorter
from importlib.metadata import packages_distributions

import pytest

from tests.house.sources import ROOT, absolute, imports, scripts, sources

MAY_IMPORT = {
    "": set[str](),
    "errors": set[str](),
    "harmony": {"errors"},
    "sandbox": {"errors"},
    "tools": {"errors", "harmony", "sandbox"},
    "agent": {"errors", "harmony", "sandbox", "tools"},
}
"""Each top-level part of the package, and the other parts that it may import."""

HARMONY_DEPENDENCIES = {"pydantic", "tiktoken"}
IMPURE = {"asyncio", "http", "multiprocessing", "socket", "subprocess", "urllib"}
KERNEL = "ossia.sandbox.kernel"
"""The package whose modules run inside sandboxes, with the libraries of the image."""
INSTALLED_WITH = {"pydantic_core": "pydantic", "requests": "docker"}
"""Modules that we import and that a declared dependency installs."""
PUBLIC_PACKAGES = {
    "ossia.agent",
    "ossia.agent.testing",
    "ossia.errors",
    "ossia.harmony",
    "ossia.sandbox",
    "ossia.tools",
}
"""What the examples may import, because it is what users may import."""


@pytest.mark.parametrize("name", sources())
def test_imports_point_down(name: str) -> None:
    source = sources()[name]
    ours = {module for module in imports(source, sources()) if module.startswith("ossia")}
    folders = {sources()[module].folder for module in ours}
    assert folders <= MAY_IMPORT[source.folder] | {source.folder}


def test_imports_never_form_a_cycle() -> None:
    graph = {
        name: {module for module in imports(source, sources()) if module in sources()}
        for name, source in sources().items()
    }
    TopologicalSorter(graph).prepare()


def test_only_the_command_line_imports_the_command_line() -> None:
    importers = {
        name
        for name, source in sources().items()
        if any(module.startswith("ossia.agent.cli") for module in imports(source, sources()))
    }
    assert {name for name in importers if not name.startswith("ossia.agent.cli")} == set()


@pytest.mark.parametrize("name", [name for name in sources() if name != "ossia"])
def test_the_package_imports_itself_relatively(name: str) -> None:
    source = sources()[name]
    nodes = [node for node in ast.walk(source.tree) if isinstance(node, ast.ImportFrom)]
    modules = [absolute(source, node) for node in nodes if not node.level]
    assert [module for module in modules if module.split(".")[0] == "ossia"] == []


def test_the_root_package_imports_nothing_relatively() -> None:
    # A relative import in it makes pytest load the package twice.
    tree = sources()["ossia"].tree
    assert not any(node.level for node in ast.walk(tree) if isinstance(node, ast.ImportFrom))


def test_examples_import_only_public_packages() -> None:
    ours = {
        f"{name} imports {module}"
        for name, source in scripts().items()
        if name.startswith("examples")
        for module in imports(source, sources())
        if module.split(".")[0] == "ossia" and module not in PUBLIC_PACKAGES
    }
    assert ours == set()


def test_harmony_has_no_input_or_output() -> None:
    modules = {
        module
        for source in sources().values()
        if source.folder == "harmony"
        for module in imports(source, sources())
    }
    # It only reads URLs.
    found = {module.split(".")[0] for module in modules - {"urllib.parse"}}
    foreign = found - {"ossia"} - sys.stdlib_module_names
    assert foreign <= HARMONY_DEPENDENCIES
    assert not found & IMPURE


def test_importing_harmony_loads_nothing_heavy() -> None:
    code = "import sys, ossia.harmony; print(*{name.split('.')[0] for name in sys.modules})"
    loaded = subprocess.check_output([sys.executable, "-c", code], text=True).split()
    assert {"ossia", "tiktoken"} <= set(loaded)
    assert not {"anyio", "docker", "httpx", "playwright", "rich", "typer"} & set(loaded)


def test_every_foreign_import_is_a_declared_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = (name for names in project["optional-dependencies"].values() for name in names)
    declared = {normalized_name(name) for name in (*project["dependencies"], *extras)}
    distributions = packages_distributions()
    foreign = {
        module.split(".")[0]: name
        for name, source in sources().items()
        if not name.startswith(KERNEL)
        for module in imports(source, sources())
        if module.split(".")[0] not in {"ossia", *sys.stdlib_module_names}
    }
    undeclared = {
        module: name
        for module, name in foreign.items()
        if INSTALLED_WITH.get(module) not in declared
        and not declared & {normalized_name(known) for known in distributions.get(module, [module])}
    }
    assert undeclared == {}


def test_modules_of_the_kernel_import_only_each_other() -> None:
    kernel = {name: source for name, source in sources().items() if name.startswith(KERNEL)}
    found = {module for source in kernel.values() for module in imports(source, sources())}
    assert {module for module in found if module.startswith("ossia")} <= kernel.keys()


def normalized_name(requirement: str) -> str:
    """Return the normalized project name of a requirement such as `Docstring_Parser>=0.16`."""
    name = requirement.split(";", maxsplit=1)[0]
    for separator in "[<>=!~ ":
        name = name.split(separator)[0]
    return name.lower().replace("_", "-").replace(".", "-")

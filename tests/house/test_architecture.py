"""ARCHITECTURE.md agrees with the source: its import diagrams, and the names that it mentions."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.house.sources import ROOT, imports, sources
from tests.house.test_plain_words import definitions

TEXT = (ROOT / "ARCHITECTURE.md").read_text()
BLOCKS: list[str] = re.findall(r"^```mermaid\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
DIAGRAMS: dict[str, str] = {
    match[1]: block for block in BLOCKS if (match := re.search(r"%% (\S+)", block))
}
PACKAGES = ("ossia", "ossia.harmony", "ossia.sandbox", "ossia.tools", "ossia.agent")
type_names = {name for source in sources().values() for name in definitions(source.tree)}

Graph = dict[str, set[str]]


def test_there_is_a_diagram_of_each_package() -> None:
    assert tuple(DIAGRAMS) == PACKAGES


@pytest.mark.parametrize("package", PACKAGES)
def test_the_diagram_shows_the_imports_and_nothing_else(package: str) -> None:
    graph = import_graph(package)
    lines = [line.strip() for line in DIAGRAMS[package].splitlines()[2:]]
    shown = {tuple(line.split(" --> ")) for line in lines if " --> " in line}
    assert shown == set(necessary_edges(graph))
    assert {name for line in lines for name in line.split(" --> ")} == graph.keys()


def test_files_folders_and_names_in_the_text_exist() -> None:
    mentioned: list[str] = re.findall(r"`([^`\n]+)`", TEXT)
    paths = [text for text in mentioned if text.endswith(("/", ".py"))]
    assert [path for path in paths if not (ROOT / path).exists()] == []
    names = {text for text in mentioned if re.fullmatch(r"[A-Za-z_]+", text)} - {"ossia"}
    assert names - type_names == set()
    participants = set(re.findall(r"participant (\w+)", TEXT))
    assert participants - type_names == set()


def import_graph(package: str) -> Graph:
    """Return the parts of a package, files and folders, with the parts that each imports."""
    graph: Graph = {}
    for name, source in sources().items():
        if part := part_of(package, name):
            used = {part_of(package, module) for module in imports(source, sources())}
            graph.setdefault(part, set()).update(used - {part, ""})
    return graph


def part_of(package: str, module: str) -> str:
    """Return `run` for `ossia.agent` and `ossia.agent.run.loop`; `` for others' modules."""
    inside = module.startswith(f"{package}.") and module in sources()
    return module.removeprefix(f"{package}.").split(".")[0] if inside else ""


def necessary_edges(graph: Graph) -> Iterator[tuple[str, str]]:
    """Yield the edges of a graph without cycles that do not follow from its other edges."""
    for start, ends in graph.items():
        for end in ends:
            others = [reachable(graph, other) for other in ends - {end}]
            if end not in set[str]().union(*others):
                yield start, end


def reachable(graph: Graph, start: str) -> set[str]:
    """Return everything that a path from `start` leads to, `start` included."""
    return {start}.union(*(reachable(graph, end) for end in graph[start]))

"""ARCHITECTURE.md agrees with the source: folders, imports, files, calls and names."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from functools import cache

import pytest

from tests.house.documents import code_blocks, inline_code
from tests.house.sources import ROOT, imports, sources

DOCUMENT = "ARCHITECTURE.md"
FOLDERS = (".", "harmony", "sandbox", "tools", "tools/browser", "agent")
"""The folders whose imports have a diagram."""

ARROW = re.compile(r"^ *(\w+) --> (\w+)$", re.MULTILINE)
NODE = re.compile(r"^ *(\w+)$", re.MULTILINE)
PARTICIPANT = re.compile(r"^ *participant (\w+) as (.+)$", re.MULTILINE)
CALL = re.compile(r"^ *(\w+)->>(\w+): (.+)$", re.MULTILINE)
RETURN = re.compile(r"^ *(\w+)-->>(\w+): (.+)$", re.MULTILINE)

Graph = Mapping[str, AbstractSet[str]]

sequences = pytest.mark.parametrize(
    "text", [block.text for block in code_blocks(DOCUMENT, "mermaid") if "sequence" in block.text]
)


def test_each_folder_with_a_diagram_has_one() -> None:
    assert sorted(import_diagrams()) == sorted(FOLDERS)


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_arrow_is_an_import(folder: str) -> None:
    found = actual_imports(folder)
    wrong = [
        f"{part} --> {other}"
        for part, others in drawn_imports(folder).items()
        for other in others
        if other not in found.get(part, set())
    ]
    assert wrong == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_import_is_an_arrow_or_follows_from_a_chain_of_arrows(folder: str) -> None:
    drawn = drawn_imports(folder)
    missing = [
        f"{part} --> {other}"
        for part, others in actual_imports(folder).items()
        for other in sorted(others - reachable(drawn, part))
    ]
    assert missing == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_part_of_a_folder_is_in_its_diagram(folder: str) -> None:
    assert drawn_imports(folder).keys() == actual_imports(folder).keys()


def test_every_folder_is_described() -> None:
    folders = {
        source.path.parent.relative_to(ROOT).as_posix()
        for source in sources().values()
        if source.is_package
    }
    missing = folders - {".", *(text.rstrip("/") for text in inline_code(DOCUMENT))}
    assert missing == set()


@sequences
def test_the_files_of_a_sequence_exist(text: str) -> None:
    files = [place for _, place in PARTICIPANT.findall(text) if "/" in place]
    assert files
    assert [place for place in files if not (ROOT / place).is_file()] == []


@sequences
def test_a_called_function_is_defined_in_the_called_file(text: str) -> None:
    places = dict[str, str](PARTICIPANT.findall(text))
    wrong: list[str] = []
    for _, called, label in CALL.findall(text):
        place = places[called]
        if not place.endswith(".py"):
            continue
        name, parentheses = label[:-2], label[-2:]
        if parentheses != "()" or name not in functions(place):
            wrong.append(f"{place}: {label}")
    assert wrong == []


@sequences
def test_a_caller_names_the_function_that_it_calls(text: str) -> None:
    places = dict[str, str](PARTICIPANT.findall(text))
    wrong = [
        f"{places[caller]}: {label}"
        for caller, _, label in CALL.findall(text)
        if places[caller].endswith(".py")
        and label.endswith("()")
        and label[:-2] not in (ROOT / places[caller]).read_text()
    ]
    assert wrong == []


@sequences
def test_everything_that_a_sequence_names_takes_part(text: str) -> None:
    places = dict[str, str](PARTICIPANT.findall(text))
    used = [part for first, second, _ in CALL.findall(text) for part in (first, second)]
    used += [part for first, second, _ in RETURN.findall(text) for part in (first, second)]
    assert set(used) == places.keys()


def import_diagrams() -> dict[str, str]:
    """Return the diagrams of imports by the folder that their first comment names."""
    found: dict[str, str] = {}
    for block in code_blocks(DOCUMENT, "mermaid"):
        if folder := re.search(r"^ *%% imports: (.+)$", block.text, re.MULTILINE):
            found[folder[1]] = block.text
    return found


def drawn_imports(folder: str) -> Graph:
    """Return the arrows of a diagram, by the part where they start."""
    text = import_diagrams()[folder]
    graph: dict[str, set[str]] = {name: set() for name in NODE.findall(text)}
    for part, other in ARROW.findall(text):
        graph.setdefault(part, set()).add(other)
        graph.setdefault(other, set())
    return graph


@cache
def actual_imports(folder: str) -> Graph:
    """Return which parts of a folder import which. A part is a module or a folder in it."""
    graph: defaultdict[str, set[str]] = defaultdict(set)
    for name, source in sources().items():
        if part := part_of(folder, name):
            others = {part_of(folder, module) for module in imports(source, sources())}
            graph[part] |= others - {part, ""}
    return graph


def part_of(folder: str, module: str) -> str:
    """Return `run` for `ossia.agent.run.loop` and the folder `agent`; `` for other modules."""
    prefix = "ossia." if folder == "." else f"ossia.{folder.replace('/', '.')}."
    return module.removeprefix(prefix).partition(".")[0] if module.startswith(prefix) else ""


def reachable(graph: Graph, start: str) -> set[str]:
    """Return every part at the end of a chain of arrows."""
    found: set[str] = set()
    waiting = list(graph.get(start, ()))
    while waiting:
        part = waiting.pop()
        if part not in found:
            found.add(part)
            waiting += graph.get(part, ())
    return found


def functions(place: str) -> set[str]:
    """Return the names of all functions and methods in a file."""
    tree = ast.parse((ROOT / place).read_text())
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in ast.walk(tree) if isinstance(node, kinds)}

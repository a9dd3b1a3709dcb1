"""What is where, and how large a file, a function and a folder may be."""

from __future__ import annotations

import ast
from collections import Counter

import pytest

from tests.house.sources import FOLDERS, ROOT, scripts, sources

FILE_LINES = 400
FUNCTION_LINES = 50
FOLDER_FILES = 16
"""Python files of one folder, `__init__.py` included and subfolders not included."""

ALL = {**sources(), **scripts()}


def test_the_root_contains_two_sources() -> None:
    assert sorted(path.name for path in ROOT.glob("*.py")) == ["__init__.py", "errors.py"]


def test_tests_are_not_a_package() -> None:
    # Otherwise pytest imports each test under two names.
    assert list((ROOT / "tests").rglob("__init__.py")) == []


def test_each_folder_of_tests_belongs_to_a_part_of_the_package() -> None:
    folders = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir()}
    others = {"bench", "e2e", "examples", "house", "__pycache__"}
    assert folders - others <= set(FOLDERS)


def test_the_package_declares_that_it_is_typed() -> None:
    assert (ROOT / "py.typed").exists()


@pytest.mark.parametrize("name", ALL)
def test_files_are_short(name: str) -> None:
    assert len(ALL[name].path.read_text().splitlines()) <= FILE_LINES


@pytest.mark.parametrize("name", ALL)
def test_functions_are_short(name: str) -> None:
    too_long = {
        node.name: lines
        for node in ast.walk(ALL[name].tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > FUNCTION_LINES
    }
    assert too_long == {}


def test_folders_contain_few_files() -> None:
    files = Counter(source.path.parent for source in ALL.values())
    too_full = {str(folder): count for folder, count in files.items() if count > FOLDER_FILES}
    assert too_full == {}

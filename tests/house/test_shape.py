"""The shape of the tree: what stands where, and how large a thing may grow."""

from __future__ import annotations

import ast

import pytest

from tests.house.sources import FOLDERS, ROOT, sources

FILE_LINES = 500
FUNCTION_LINES = 60


def test_the_root_holds_two_sources() -> None:
    assert sorted(path.name for path in ROOT.glob("*.py")) == ["__init__.py", "errors.py"]


def test_tests_are_no_package() -> None:
    # With one, pytest would import the tests by two names.
    assert list((ROOT / "tests").rglob("__init__.py")) == []


def test_every_folder_of_tests_belongs_to_a_part_of_the_house() -> None:
    folders = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir()}
    others = {"bench", "e2e", "examples", "house", "__pycache__"}
    assert folders - others <= set(FOLDERS)


def test_the_types_of_the_package_are_offered() -> None:
    assert (ROOT / "py.typed").exists()


@pytest.mark.parametrize("name", sources())
def test_a_file_holds_one_idea(name: str) -> None:
    assert len(sources()[name].path.read_text().splitlines()) <= FILE_LINES


@pytest.mark.parametrize("name", sources())
def test_a_function_fits_the_eye(name: str) -> None:
    long = {
        node.name: lines
        for node in ast.walk(sources()[name].tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > FUNCTION_LINES
    }
    assert long == {}

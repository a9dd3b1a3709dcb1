"""What `--tool` names: built-in tools, and functions of modules and files."""

from __future__ import annotations

import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from ossia.agent.cli.tool_loader import load_tool
from ossia.errors import ToolDefinitionError
from ossia.tools import PythonTool

DATACLASS = '''
from __future__ import annotations
from dataclasses import dataclass
from helpers_of_a_tool import double

@dataclass
class Item:
    name: str

def look(item: str) -> str:
    """Look."""
    return double(Item(item).name)

def also() -> object:
    """Return the class."""
    return Item
'''


@pytest.fixture
def folder(tmp_path: Path) -> Generator[Path]:
    """Give a folder with a neighbor to import, and unload what was loaded from it."""
    (tmp_path / "helpers_of_a_tool.py").write_text("def double(text): return text * 2")
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_built_in_tools_have_names() -> None:
    assert load_tool("python") == PythonTool()
    with pytest.raises(ToolDefinitionError, match="no tool named 'pyton'; known: python, browser"):
        load_tool("pyton")


def test_a_file_with_dataclasses_and_neighbors_is_loaded_once(folder: Path) -> None:
    file = folder / "items_of_a_tool.py"
    file.write_text(DATACLASS)
    look, also = load_tool(f"{file}:look"), load_tool(f"{file}:also")
    assert callable(look)
    assert callable(also)
    assert look("ab") == "abab"
    assert also() is sys.modules["items_of_a_tool"].Item
    assert str(folder) not in sys.path


def test_a_file_can_be_named_like_a_module(folder: Path) -> None:
    (folder / "json.py").write_text(DATACLASS)
    assert callable(load_tool(f"{folder / 'json.py'}:look"))
    assert sys.modules["json"].dumps([]) == "[]"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("1 / 0", r'its code raised an exception\n  File ".*broken.py", line 1, in <module>\n'),
        ("1 / 0", "ZeroDivisionError: division by zero$"),
        ("def f(:", "SyntaxError: invalid syntax$"),
        ("import sys; sys.exit('no key')", "SystemExit: no key$"),
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'$"),
    ],
)
def test_what_cannot_be_loaded_raises_with_the_lines_of_the_user(
    folder: Path, source: str, reason: str
) -> None:
    file = folder / "broken.py"
    file.write_text(source)
    with pytest.raises(ToolDefinitionError, match=reason) as raised:
        load_tool(f"{file}:look")
    assert "importlib" not in str(raised.value)
    assert "tool_loader" not in str(raised.value)
    assert "broken" not in sys.modules


def test_a_missing_file_module_or_function_raises(folder: Path) -> None:
    (folder / "empty_tools.py").write_text("")
    with pytest.raises(ToolDefinitionError, match=r"empty_tools\.py has no 'look'"):
        load_tool(f"{folder / 'empty_tools.py'}:look")
    with pytest.raises(ToolDefinitionError, match="No such file"):
        load_tool(f"{folder / 'missing.py'}:look")
    with pytest.raises(ToolDefinitionError, match="No module named 'no_such_module'"):
        load_tool("no_such_module:look")

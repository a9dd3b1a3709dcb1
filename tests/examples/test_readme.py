"""The Python blocks of the documents run, in order, and the commands in them exist."""

from __future__ import annotations

import ast
import inspect
import logging
import re
from pathlib import Path
from types import CodeType
from typing import Any

import anyio
import pytest
from typer.main import get_command

import ossia.agent
from ossia.agent.cli.main import app
from ossia.agent.testing import TestEngine

ROOT = Path(__file__).parents[2]


def blocks(document: str) -> list[tuple[str, str]]:
    """Return the language and the text of each fenced block of a document."""
    text = (ROOT / document).read_text()
    return re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


PYTHON = [text for language, text in blocks("README.md") if language == "python"]
SHELL = "".join(text for language, text in blocks("README.md") if language != "python")
COMMANDS = set(re.findall(r"^ossia ([a-z]+)", SHELL, re.MULTILINE))

pytestmark = pytest.mark.timeout(300)


@pytest.mark.docker
def test_the_python_blocks_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test engine plays the model. The functions that a block defines for an event loop run."""
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "tasks.html").write_text("<title>Tasks</title><p>Call task.cancel().</p>")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ossia.agent, "VLLMEngine", _test_engine)
    monkeypatch.setattr(logging, "basicConfig", _configure_nothing)
    names: dict[str, Any] = {"__name__": "readme"}
    ran: list[str] = []
    for number, block in enumerate(PYTHON, start=1):
        exec(_compile(block, number), names)
        for node in ast.parse(block).body:
            if isinstance(node, ast.AsyncFunctionDef):
                assert inspect.iscoroutinefunction(names[node.name])
                anyio.run(names[node.name])
                ran.append(node.name)
    assert ran == ["main", "check_stock", "check_many"]
    assert isinstance(names["orders"].run_sync("Go.").output, list)


def test_the_recipes_for_contributors_run() -> None:
    recipes = [text for language, text in blocks("CONTRIBUTING.md") if language == "python"]
    assert len(recipes) == 2
    for number, block in enumerate(recipes, start=1):
        exec(_compile(block, number), {"__name__": f"recipe_{number}"})


def test_the_commands_exist() -> None:
    known: set[str] = set(getattr(get_command(app), "commands"))  # noqa: B009 - of a click group
    assert {"run", "chat", "batch", "runs", "engine", "doctor", "sandbox", "render"} == COMMANDS
    assert known >= COMMANDS


def _test_engine(url: str) -> TestEngine:
    del url
    return TestEngine()


def _configure_nothing(*, level: str) -> None:
    assert level == "INFO"


def _compile(block: str, number: int) -> CodeType:
    # Inherited flags would turn annotations into text, which `exec` in a plain dict cannot resolve.
    return compile(block, f"README.md block {number}", "exec", dont_inherit=True)

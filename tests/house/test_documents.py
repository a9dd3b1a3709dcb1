"""What the project's documents name exists: files, names, commands, options, tests and targets."""

from __future__ import annotations

import ast
import builtins
import re
import shlex

import pytest
import typer.main
from typer.core import TyperGroup

from ossia.agent.cli.main import app
from ossia.harmony import special
from ossia.sandbox.protocol import DATA_FOLDER
from tests.house.documents import (
    INLINE,
    code_blocks,
    constants,
    defined_names,
    inline_code,
    links,
    prose,
)
from tests.house.sources import ROOT
from tests.house.test_plain_words import stilted_phrases

DOCUMENTS = sorted(path.name for path in ROOT.glob("*.md"))
NAMED = [name for name in DOCUMENTS if name != "CHANGELOG.md"]
"""The changelog also names what earlier versions had."""

IDENTIFIER = re.compile(r"@?[A-Za-z_][\w.]*(?:\(\))?")
SCRIPTS = tuple((ROOT / ".setup").iterdir())
TARGET = re.compile(r"^([a-z]+):", re.MULTILINE)
STEPS = re.compile(r"^steps := (.+)$", re.MULTILINE)
RENAMED = re.compile(r"^ +\| (.+) \| (.+) \|$", re.MULTILINE)
"""A row of the changelog's table of old and new names."""

documents = pytest.mark.parametrize("document", DOCUMENTS)
named = pytest.mark.parametrize("document", NAMED)


@documents
def test_linked_files_exist(document: str) -> None:
    assert [target for target in links(document) if not (ROOT / target).exists()] == []


@documents
def test_the_english_is_plain(document: str) -> None:
    assert stilted_phrases(" ".join(prose(document).split())) == []


@named
def test_what_is_named_exists(document: str) -> None:
    assert [text for text in inline_code(document) if not exists(document, text)] == []


def test_every_new_name_of_the_changelog_exists() -> None:
    (_, _), *rows = RENAMED.findall(prose("CHANGELOG.md"))
    names = [name for _, new in rows for name in INLINE.findall(new)]
    assert len(rows) > 20
    assert [name for name in names if not exists("CHANGELOG.md", name)] == []


@documents
def test_commands_and_options_exist(document: str) -> None:
    lines = [
        line
        for block in code_blocks(document, "sh")
        for line in block.text.replace("\\\n", " ").splitlines()
    ]
    commands = [words for line in lines if (words := shlex.split(line, comments=True))]
    assert [words for words in commands if not is_valid_command(words)] == []


def exists(document: str, text: str) -> bool:
    """Tell whether the project has what a text in backticks names."""
    if text in special.NAMES.values() or text == DATA_FOLDER or text in words_of_blocks(document):
        return True
    if text.startswith("OSSIA_"):
        return any(text in path.read_text() for path in [ROOT / "Makefile", *SCRIPTS])
    if text.startswith(("make ", "ossia ", ".venv/bin/", ".ci/")):
        return is_valid_command(shlex.split(text))
    if "/" in text or text.endswith((".py", ".md", ".toml", ".txt")):
        return is_place(text)
    return is_name(text) or hasattr(builtins, text) or has_only_known_names(document, text)


def is_place(text: str) -> bool:
    """Tell whether a text is a file, a folder, or a test in a file: `tests/x.py::test_name`."""
    place, has_test, test = text.partition("::")
    path = ROOT / place
    return path.exists() and (not has_test or f"def {test}(" in path.read_text())


def is_name(text: str) -> bool:
    """Tell whether a text is a name in the package, or a folder."""
    if not IDENTIFIER.fullmatch(text):
        return False
    name = text.removeprefix("@").removesuffix("()")
    return name in defined_names() | constants() or (ROOT / name).is_dir()


def has_only_known_names(document: str, text: str) -> bool:
    """Tell whether a text is Python code, and all of its names exist."""
    try:
        tree = ast.parse(text.removeprefix("@"))
    except SyntaxError:
        return False
    known = defined_names() | words_of_blocks(document)
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    names |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return bool(names) and names <= known


def words_of_blocks(document: str) -> set[str]:
    """Return the words of a document's own code blocks: its prose may explain them."""
    blocks = [block for language in ("python", "sh") for block in code_blocks(document, language)]
    return {word for block in blocks for word in re.findall(r"[\w.@/-]+", block.text)}


def is_valid_command(words: list[str]) -> bool:
    """Tell whether a command line names a target, command and options that exist."""
    program, *arguments = words
    if program == "make":
        makefile = (ROOT / "Makefile").read_text()
        targets = TARGET.findall(makefile) + " ".join(STEPS.findall(makefile)).split()
        return all(is_valid_make_argument(word, targets) for word in arguments)
    if program.startswith((".venv/bin/", ".ci/")):
        paths = [word for word in arguments if "/" in word and not word.startswith("-")]
        return all((ROOT / path.partition("::")[0]).exists() for path in paths)
    if program == "ossia":
        return is_valid_ossia(arguments)
    return program in {"pip", "vllm", "git", "cd", "export", "python", "cp"}


def is_valid_make_argument(word: str, targets: list[str]) -> bool:
    """Tell whether a word after `make` is a target, or a variable whose paths exist."""
    variable, is_variable, value = word.partition("=")
    if not is_variable:
        return word in targets
    paths = [part.partition("::")[0] for part in value.split() if part.startswith("tests/")]
    return variable in {"TASK", "ARGS"} and all((ROOT / path).exists() for path in paths)


def is_valid_ossia(words: list[str]) -> bool:
    """Tell whether `ossia` has a command with these options."""
    command = typer.main.get_command(app)
    while words and isinstance(command, TyperGroup) and not words[0].startswith("-"):
        if words[0] not in command.commands:
            return False
        command, words = command.commands[words[0]], words[1:]
    options = {name for parameter in command.params for name in parameter.opts}
    used = {word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)}
    return used <= options | {"--help"}

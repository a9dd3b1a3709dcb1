"""The parsed sources of the project, which the tests in this folder inspect."""

from __future__ import annotations

import ast
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

ROOT = Path(__file__).parents[2]
FOLDERS = ("agent", "harmony", "sandbox", "tools")


@dataclass(frozen=True, slots=True)
class Source:
    """One Python file."""

    name: str
    """The module's absolute import name, such as `ossia.agent.run.loop`."""
    path: Path
    tree: ast.Module

    @property
    def place(self) -> str:
        """The path from the repository root, such as `agent/run/loop.py`."""
        return self.path.relative_to(ROOT).as_posix()

    @property
    def is_package(self) -> bool:
        """Whether the file is a folder's `__init__.py`."""
        return self.path.name == "__init__.py"

    @property
    def package(self) -> str:
        """The package that relative imports in this file start from."""
        return self.name if self.is_package else self.name.rpartition(".")[0]

    @property
    def folder(self) -> str:
        """The top-level part of the package: `agent`, `errors`, or `` for the root itself."""
        return self.name.removeprefix("ossia").lstrip(".").partition(".")[0]


@cache
def sources() -> Mapping[str, Source]:
    """Return every module of the package by its import name."""
    return read("ossia", *ROOT.glob("*.py"), *(ROOT / name for name in FOLDERS))


@cache
def scripts() -> Mapping[str, Source]:
    """Return every module of examples/ and tests/ by its import name."""
    return read("", ROOT / "examples", ROOT / "tests")


def read(prefix: str, *paths: Path) -> Mapping[str, Source]:
    """Parse files, and all Python files of folders, as modules of the package `prefix`."""
    files = sorted(file for path in paths for file in [path, *path.rglob("*.py")] if file.is_file())
    found = [Source(module_name(prefix, file), file, ast.parse(file.read_text())) for file in files]
    return MappingProxyType({source.name: source for source in found})


def module_name(prefix: str, path: Path) -> str:
    """Return `ossia.agent.run` for `agent/run/__init__.py` and the prefix `ossia`."""
    parts = [prefix, *path.relative_to(ROOT).with_suffix("").parts]
    return ".".join(part for part in parts if part not in {"", "__init__"})


def imports(source: Source, known: Collection[str]) -> set[str]:
    """Return the absolute names of all modules that a file imports, also inside functions.

    known: names of our modules. `from .cli import run` means the module `cli.run` if it is one of
    these, and the module `cli` otherwise.
    """
    found: set[str] = set()
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = absolute(source, node)
            names = (f"{base}.{alias.name}" for alias in node.names)
            found.update(name if name in known else base for name in names)
    return found


def absolute(source: Source, node: ast.ImportFrom) -> str:
    """Return the absolute name of the module that a `from` import names."""
    if not node.level:
        return node.module or ""
    parts = source.package.split(".")
    parts = parts[: len(parts) - node.level + 1]
    return ".".join([*parts, node.module] if node.module else parts)

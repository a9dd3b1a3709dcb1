"""The package's sources, parsed: what the tests of the house look at."""

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
    """One module."""

    name: str
    """As it is imported: `ossia.agent.loop`."""
    path: Path
    tree: ast.Module

    @property
    def package(self) -> str:
        """The package that its relative imports start from."""
        return self.name if self.path.name == "__init__.py" else self.name.rpartition(".")[0]

    @property
    def folder(self) -> str:
        """The part of the house it belongs to: `agent`, `errors`, or `` for the root itself."""
        return self.name.removeprefix("ossia").lstrip(".").partition(".")[0]


@cache
def sources() -> Mapping[str, Source]:
    """Every module of the package, by the name it is imported by."""
    paths = [
        *ROOT.glob("*.py"),
        *(path for name in FOLDERS for path in (ROOT / name).rglob("*.py")),
    ]
    found = (Source(module_name(path), path, ast.parse(path.read_text())) for path in paths)
    return MappingProxyType({source.name: source for source in sorted(found, key=lambda s: s.name)})


def module_name(path: Path) -> str:
    """`agent/loop.py` is `ossia.agent.loop`, and `agent/__init__.py` is `ossia.agent`."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(("ossia", *parts)).removesuffix(".__init__")


def imports(source: Source, known: Collection[str]) -> set[str]:
    """The modules that a source imports anywhere, functions included, by absolute name.

    known: the modules of ours; `from .cli import run` means `cli.run` if that is one, else `cli`.
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
    """The module that an import names, without its dots."""
    if not node.level:
        return node.module or ""
    parts = source.package.split(".")
    parts = parts[: len(parts) - node.level + 1]
    return ".".join([*parts, node.module] if node.module else parts)

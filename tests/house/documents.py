"""The Markdown files of the project, as the tests read them: code blocks, names and links."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from tests.house.sources import ROOT, sources

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of code."""

    language: str
    text: str
    line: int


def code_blocks(document: str, language: str) -> list[Block]:
    """Return the blocks of one language in a file in the repository root."""
    text = (ROOT / document).read_text()
    return [
        Block(found[1], found[2], text.count("\n", 0, found.start()) + 2)
        for found in FENCE.finditer(text)
        if found[1] == language
    ]


def prose(document: str) -> str:
    """Return a file in the repository root without its code blocks."""
    return FENCE.sub("", (ROOT / document).read_text())


def inline_code(document: str) -> list[str]:
    """Return what the prose of a file has between backticks, in order."""
    return INLINE.findall(prose(document))


def links(document: str) -> list[str]:
    """Return the targets of the links in a file, without those to other sites."""
    targets = (target.partition("#")[0] for target in LINK.findall(prose(document)))
    return [target for target in targets if target and "://" not in target]


@cache
def defined_names() -> frozenset[str]:
    """Return every name that the package defines, alone and after its class: `call`, `Tool.call`.

    The names are those of modules, classes, functions, parameters, constants and attributes.
    """
    names: set[str] = set()
    for source in sources().values():
        names.add(source.name)
        names.update(_defined(source.tree, ""))
    return frozenset(names)


@cache
def constants() -> frozenset[str]:
    """Return every string in the package that looks like a name, such as kinds of events."""
    return frozenset(
        node.value
        for source in sources().values()
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and "_" in node.value
        and node.value.isidentifier()
    )


def _defined(node: ast.AST, owner: str) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        found: list[str] = []
        inner = owner
        match child:
            case ast.ClassDef(name=name):
                found, inner = [name], name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                found = [name]
            case ast.arg(arg=name):
                yield name
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                found = [name]
            case ast.Attribute(value=ast.Name(id="self"), attr=name, ctx=ast.Store()):
                found = [name]
            case _:
                pass
        for name in found:
            yield name
            if owner:
                yield f"{owner}.{name}"
        yield from _defined(child, inner)

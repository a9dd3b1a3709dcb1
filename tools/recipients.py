"""Whom a call is meant for, also when the model did not write the name as it should."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from ..errors import ToolDefinitionError
from ..harmony import ToolNamespace
from .protocol import Tool

FUNCTIONS = "functions"

# What models put before a name in place of `functions.`, or of nothing.
_PREFIXES = frozenset({"function", "functions", "tool", "tools"})
# Content types that a model sometimes writes without the space before them.
_GLUED = ("json", "code")
_SHOWN = 20


def recipients_of(namespace: ToolNamespace) -> tuple[str, ...]:
    """What a call to it may be addressed to: `python`, or `functions.` and a name."""
    if not namespace.tools:
        return (namespace.name,)
    return tuple(f"{namespace.name}.{tool.name}" for tool in namespace.tools)


def by_recipient(tools: Iterable[Tool]) -> dict[str, Tool]:
    """The tools by what calls are addressed to; raises ToolDefinitionError if two share it."""
    found: dict[str, Tool] = {}
    spaces: set[str] = {FUNCTIONS}
    for one in tools:
        space = one.namespace
        if space.name in spaces - {FUNCTIONS}:
            raise ToolDefinitionError(f"two tools have the namespace {space.name!r}; keep one")
        spaces.add(space.name)
        for recipient in recipients_of(space):
            if recipient in found:
                raise ToolDefinitionError(
                    f"two tools are called {recipient!r}; name one of them: @tool(name=...)"
                )
            found[recipient] = one
    return found


def find_recipient(written: str, known: Iterable[str]) -> str | None:
    """The tool that the model means, or None.

    Beside the exact name: one without `functions.`, with another word for it, or with the content
    type glued to it (`functions.shelljson`); and `python.exec` for `python`, which has no
    functions.
    """
    names = frozenset(known)
    for name in (written, *(written.removesuffix(end) for end in _GLUED if written.endswith(end))):
        bare = _bare(name)
        for candidate in (name, f"{FUNCTIONS}.{bare}", bare, bare.partition(".")[0]):
            if candidate in names:
                return candidate
    return None


def unknown_tool(written: str, known: Sequence[str]) -> str:
    """What the model reads after a call to a tool that is not there."""
    if not known:
        return f"there is no tool {written!r}, and no other; answer without one"
    by_tail = {name.rpartition(".")[2].lower(): name for name in known}
    close = get_close_matches(written.rpartition(".")[2].lower(), by_tail, n=3, cutoff=0.6)
    if close:
        return (
            f"there is no tool {written!r}; did you mean {_either(by_tail[one] for one in close)}?"
        )
    more = f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else ""
    return f"there is no tool {written!r}; there are {', '.join(known[:_SHOWN])}{more}"


def _bare(name: str) -> str:
    head, dot, rest = name.partition(".")
    return _bare(rest) if dot and head in _PREFIXES else name


def _either(names: Iterable[str]) -> str:
    return " or ".join(names)

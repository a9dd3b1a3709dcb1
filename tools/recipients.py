"""Recipients of calls: which tool a call is for, even if the model misspelled its name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from ..errors import ToolDefinitionError
from ..harmony import ToolNamespace
from .protocol import Tool

FUNCTIONS = "functions"
"""The namespace of function tools."""

# Prefixes that models write instead of `functions.`, or where no prefix belongs.
_PREFIXES = frozenset({"function", "functions", "tool", "tools"})
# Content types that a model sometimes writes without the space before them.
_CONTENT_TYPES = ("json", "code")
_MAX_LISTED = 20
# Tools that the model was trained with, and calls although they are not there.
_SHELLS = frozenset({"container", "bash", "sh", "shell", "terminal"})


def spell_name(name: str) -> str:
    """Return a name that a model can write: a TypeScript name, in which - is allowed."""
    spelled = re.sub(r"[^A-Za-z0-9_-]", "_", name)
    return spelled if re.match(r"[A-Za-z_]", spelled) else f"_{spelled}"


def recipients_of(namespace: ToolNamespace) -> tuple[str, ...]:
    """Return the recipients of a namespace: `python`, or `functions.` and each function's name."""
    if not namespace.tools:
        return (namespace.name,)
    return tuple(f"{namespace.name}.{tool.name}" for tool in namespace.tools)


def index_by_recipient(tools: Iterable[Tool]) -> dict[str, Tool]:
    """Return the tools by recipient. Raises ToolDefinitionError if two tools share one."""
    index: dict[str, Tool] = {}
    names: set[str] = set()
    for tool in tools:
        namespace = tool.namespace
        if namespace.name in names:
            raise ToolDefinitionError(
                f"two tools have the namespace {namespace.name!r}; remove one of them"
            )
        if namespace.name != FUNCTIONS:
            names.add(namespace.name)
        for recipient in recipients_of(namespace):
            if recipient in index:
                raise ToolDefinitionError(
                    f"two tools have the name {recipient!r}; rename one: @tool(name=...)"
                )
            index[recipient] = tool
    return index


def find_recipient(written: str, known: Iterable[str]) -> str | None:
    """Return the recipient that the model means, or None.

    Accepts the exact name, a name with dots or spaces where the model's has `_`, a name without
    `functions.` or with another word for it, a name with the content type attached
    (`functions.shelljson`), and `python.exec` for `python`, which has no functions.
    """
    names = frozenset(known)
    if written in names:
        return written
    spellings = [written]
    spellings += [written.removesuffix(end) for end in _CONTENT_TYPES if written.endswith(end)]
    for spelling in spellings:
        bare = _without_prefixes(spelling)
        function = f"{FUNCTIONS}.{bare}"
        spelled = f"{FUNCTIONS}.{spell_name(bare)}"
        for candidate in (spelling, function, spelled, bare, bare.partition(".")[0]):
            if candidate in names:
                return candidate
    return None


def unknown_tool_error(written: str, known: Sequence[str]) -> str:
    """Return what the model reads after a call to a tool that does not exist."""
    error = f"there is no tool {written!r}"
    if _is_shell(written) and "python" in known:
        return f"{error}. Use python, and its module subprocess to run commands."
    if not known:
        return f"{error}, and there are no other tools. Answer without tools."
    by_last_part = {name.rpartition(".")[2].lower(): name for name in known}
    last_part = written.rpartition(".")[2].lower()
    close = get_close_matches(last_part, by_last_part, n=3, cutoff=0.6)
    if close:
        return f"{error}. Did you mean {' or '.join(by_last_part[part] for part in close)}?"
    more = f" and {len(known) - _MAX_LISTED} more" if len(known) > _MAX_LISTED else ""
    return f"{error}. Available tools: {', '.join(known[:_MAX_LISTED])}{more}"


def _is_shell(written: str) -> bool:
    return not _SHELLS.isdisjoint(_without_prefixes(written).split("."))


def _without_prefixes(name: str) -> str:
    head, dot, rest = name.partition(".")
    return _without_prefixes(rest) if dot and head in _PREFIXES else name

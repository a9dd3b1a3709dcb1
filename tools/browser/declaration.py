"""The browser's declaration: the exact text that gpt-oss was trained with."""

from __future__ import annotations

from typing import Any

from ...harmony import ToolDescription, ToolNamespace

_DESCRIPTION = (
    "Tool for browsing.\n"
    "The `cursor` appears in brackets before each browsing display: `[{cursor}]`.\n"
    "Cite information from the tool using the following format:\n"
    "`【{cursor}†L{line_start}(-L{line_end})?】`, for example: `【6†L9-L11】` or `【8†L3】`.\n"
    "Do not quote more than 10 words directly from the tool output.\n"
    "sources=web (default: web)"
)


def _number(default: int) -> dict[str, Any]:
    return {"type": "number", "default": default}


_SEARCH = ToolDescription(
    "search",
    "Searches for information related to `query` and displays `topn` results.",
    {
        "type": "object",
        "properties": {
            "query": {"type": "string"},
            "topn": _number(10),
            "source": {"type": "string"},
        },
        "required": ["query"],
    },
)
_OPEN = ToolDescription(
    "open",
    "Opens the link `id` from the page indicated by `cursor` starting at line number `loc`, "
    "showing `num_lines` lines.\n"
    "Valid link ids are displayed with the formatting: `【{id}†.*】`.\n"
    "If `cursor` is not provided, the most recent page is implied.\n"
    "If `id` is a string, it is treated as a fully qualified URL associated with `source`.\n"
    "If `loc` is not provided, the viewport will be positioned at the beginning of the document "
    "or centered on the most relevant passage, if available.\n"
    "Use this function without `id` to scroll to a new location of an opened page.",
    {
        "type": "object",
        "properties": {
            "id": {"type": ["number", "string"], "default": -1},
            "cursor": _number(-1),
            "loc": _number(-1),
            "num_lines": _number(-1),
            "view_source": {"type": "boolean", "default": False},
            "source": {"type": "string"},
        },
    },
)
_FIND = ToolDescription(
    "find",
    "Finds exact matches of `pattern` in the current page, or the page given by `cursor`.",
    {
        "type": "object",
        "properties": {"pattern": {"type": "string"}, "cursor": _number(-1)},
        "required": ["pattern"],
    },
)


def browser_namespace(*, search: bool = True) -> ToolNamespace:
    """Return the browser's namespace, word for word as in the model's training.

    search: whether to declare the search function.
    Source: `SystemContent.with_browser_tool` of openai-harmony 0.0.8.
    """
    tools = (_SEARCH, _OPEN, _FIND) if search else (_OPEN, _FIND)
    return ToolNamespace("browser", _DESCRIPTION, tools)

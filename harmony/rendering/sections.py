"""The text of system and developer messages.

Source: OpenAI harmony format, "System message format" and "Developer message format".
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from ..format import DeveloperContent, ResponseFormat, SystemContent, ToolDescription, ToolNamespace
from .typescript import declarations, typescript


def system_text(content: SystemContent, *, functions: bool) -> str:
    """What a system message says.

    functions: whether the conversation offers functions, which are called on commentary.
    """
    top = [content.model_identity]
    if content.knowledge_cutoff is not None:
        top.append(f"Knowledge cutoff: {content.knowledge_cutoff}")
    if content.conversation_start_date is not None:
        top.append(f"Current date: {content.conversation_start_date}")
    sections = ["\n".join(line for line in top if line is not None)] if top != [None] else []
    if content.reasoning_effort is not None:
        sections.append(f"Reasoning: {content.reasoning_effort}")
    if content.tools:
        sections.append(_tools(content.tools))
    if content.channels:
        sections.append(_channels(content, functions=functions))
    return "\n\n".join(sections)


def developer_text(content: DeveloperContent) -> str:
    """What a developer message says."""
    sections: list[str] = []
    if content.instructions is not None:
        sections += ["# Instructions", content.instructions]
    if content.tools:
        sections.append(_tools(content.tools))
    if content.response_formats:
        sections.append("# Response Formats")
        sections += map(_response_format, content.response_formats)
    return "\n\n".join(sections)


def _channels(content: SystemContent, *, functions: bool) -> str:
    text = f"# Valid channels: {', '.join(content.channels or ())}."
    if content.channel_required:
        text += " Channel must be included for every message."
    if functions:
        text += "\nCalls to these tools must go to the commentary channel: 'functions'."
    return text


def _tools(spaces: Iterable[ToolNamespace]) -> str:
    # openai-harmony keeps namespaces in a sorted map.
    ordered = sorted(spaces, key=lambda space: space.name.encode())
    return "\n\n".join(["# Tools", *map(_namespace, ordered)])


def _namespace(space: ToolNamespace) -> str:
    head = [f"## {space.name}\n"]
    about = _lines(space.description or "")
    if not space.tools:
        return "\n".join(head + about)
    declared: dict[str, str] = {}
    return "\n".join(
        [
            *head,
            *(f"// {line}" for line in about),
            f"namespace {space.name} {{\n",
            *(_function(tool, declared) for tool in space.tools),
            f"}} // namespace {space.name}",
        ]
    )


def _function(tool: ToolDescription, declared: dict[str, str]) -> str:
    """The declaration of a function, after those of the recursive types that it needs.

    declared: the types that the namespace has declared before; it is added to.
    """
    lines: list[str] = []
    takes = ""
    if tool.parameters is not None:
        prefix = ""
        types = declarations(tool.parameters)
        if any(declared.get(name, text) != text for name, text in types.items()):
            prefix = f"{tool.name}_"
            types = declarations(tool.parameters, prefix=prefix)
        lines += (f"type {name} = {types[name]};\n" for name in types if name not in declared)
        declared |= types
        takes = f"_: {typescript(tool.parameters, prefix=prefix)}"
    lines += (f"// {line}" for line in _lines(tool.description))
    return "\n".join([*lines, f"type {tool.name} = ({takes}) => any;\n"])


def _response_format(one: ResponseFormat) -> str:
    lines = [f"## {one.name}", ""]
    lines += (f"// {line}" for line in _lines(one.description or ""))
    return "\n".join([*lines, json.dumps(one.schema, ensure_ascii=False, separators=(",", ":"))])


def _lines(text: str) -> list[str]:
    """Lines as Rust's `str::lines` has them: a line feed ends one, nothing else does."""
    *ended, last = text.split("\n")
    lines = [line.removesuffix("\r") for line in ended]
    return [*lines, last] if last else lines

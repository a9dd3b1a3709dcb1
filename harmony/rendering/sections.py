"""The text of system and developer messages.

Source: OpenAI harmony format, "System message format" and "Developer message format".
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from ..format import DeveloperContent, ResponseFormat, SystemContent, ToolDescription, ToolNamespace
from .typescript import declarations, typescript


def system_text(content: SystemContent, *, functions: bool) -> str:
    """Return the text of a system message.

    functions: whether the conversation has functions; they are called on the commentary channel.
    """
    lines = [content.model_identity]
    if content.knowledge_cutoff is not None:
        lines.append(f"Knowledge cutoff: {content.knowledge_cutoff}")
    if content.conversation_start_date is not None:
        lines.append(f"Current date: {content.conversation_start_date}")
    sections = ["\n".join(line for line in lines if line is not None)] if lines != [None] else []
    if content.reasoning_effort is not None:
        sections.append(f"Reasoning: {content.reasoning_effort}")
    if content.tools:
        sections.append(_tools(content.tools))
    if content.channels:
        sections.append(_channels(content, functions=functions))
    return "\n\n".join(sections)


def developer_text(content: DeveloperContent) -> str:
    """Return the text of a developer message."""
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


def _tools(namespaces: Iterable[ToolNamespace]) -> str:
    # openai-harmony stores namespaces in a sorted map.
    ordered = sorted(namespaces, key=lambda namespace: namespace.name.encode())
    return "\n\n".join(["# Tools", *map(_namespace, ordered)])


def _namespace(namespace: ToolNamespace) -> str:
    heading = [f"## {namespace.name}\n"]
    description = _lines(namespace.description or "")
    if not namespace.tools:
        return "\n".join(heading + description)
    declared: dict[str, str] = {}
    return "\n".join(
        [
            *heading,
            *(f"// {line}" for line in description),
            f"namespace {namespace.name} {{\n",
            *(_function(tool, declared) for tool in namespace.tools),
            f"}} // namespace {namespace.name}",
        ]
    )


def _function(tool: ToolDescription, declared: dict[str, str]) -> str:
    """Return the declaration of a function, preceded by the recursive types that it needs.

    declared: the types that the namespace already declares; updated with the new ones.
    """
    lines: list[str] = []
    parameters = ""
    if tool.parameters is not None:
        prefix = ""
        types = declarations(tool.parameters)
        if any(declared.get(name, text) != text for name, text in types.items()):
            prefix = f"{tool.name}_"
            types = declarations(tool.parameters, prefix=prefix)
        lines += (f"type {name} = {types[name]};\n" for name in types if name not in declared)
        declared |= types
        parameters = f"_: {typescript(tool.parameters, prefix=prefix)}"
    lines += (f"// {line}" for line in _lines(tool.description))
    return "\n".join([*lines, f"type {tool.name} = ({parameters}) => any;\n"])


def _response_format(form: ResponseFormat) -> str:
    lines = [f"## {form.name}", ""]
    lines += (f"// {line}" for line in _lines(form.description or ""))
    return "\n".join([*lines, json.dumps(form.schema, ensure_ascii=False, separators=(",", ":"))])


def _lines(text: str) -> list[str]:
    """Split text as Rust's `str::lines` does: only a line feed ends a line."""
    *complete, last = text.split("\n")
    lines = [line.removesuffix("\r") for line in complete]
    return [*lines, last] if last else lines

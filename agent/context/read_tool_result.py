"""The function by which the model reads tool results that were left out of its prompt."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Literal, Protocol

from ...errors import ToolError
from ...harmony import DeveloperContent, Message, ToolNamespace
from ...tools import FUNCTIONS, Tool, tool

ReadTool = Literal["read_tool_result", "recall_output"]
"""A name of the function."""
READ_TOOL_RESULT: Final = "read_tool_result"
"""The current name."""
RECALL_OUTPUT: Final = "recall_output"
"""The name in earlier versions. A run that was trimmed by one of them keeps this name."""


class ToolResults(Protocol):
    """The tool results of a run."""

    @property
    def tool_results(self) -> Sequence[Message]:
        """All tool results, also those that are left out of the prompt."""
        ...

    @property
    def has_left_out_results(self) -> bool:
        """Whether any of them is left out of the prompt."""
        ...

    @property
    def read_tool(self) -> ReadTool:
        """Name of the function in this run."""
        ...


def make_read_tools(run: ToolResults, tools: Sequence[Tool | Callable[..., Any]]) -> list[Tool]:
    """Return the function under both of its names; at most one of them is available at a time.

    tools: the agent's tools. One of them may use the earlier name.
    """
    spaces = [other.namespace for other in tools if isinstance(other, Tool)]
    taken = any(described.name == RECALL_OUTPUT for space in spaces for described in space.tools)
    current = _make_read_tool_result(run)
    return [current] if taken else [current, _make_recall_output(run)]


def _make_read_tool_result(run: ToolResults) -> Tool:
    """Return the function under its current name."""

    @tool(enabled=lambda _: _is_available(run, READ_TOOL_RESULT), idempotent=True)
    async def read_tool_result(number: int) -> str:
        """Read an earlier tool result that was left out to save space.

        Args:
            number: Number of the tool result; 1 is the first one in this conversation.
        """
        return _text_of(run, number)

    return read_tool_result


def _make_recall_output(run: ToolResults) -> Tool:
    """Return the function as earlier versions declared it, so that a prompt stays as it was."""

    @tool(enabled=lambda _: _is_available(run, RECALL_OUTPUT), idempotent=True)
    async def recall_output(output: int) -> str:
        """Read the output of an earlier call again, if it was left out to save room.

        Args:
            output: Its number: 1 for the first output of the conversation.
        """
        return _text_of(run, output)

    return recall_output


def _is_available(run: ToolResults, name: str) -> bool:
    return run.has_left_out_results and run.read_tool == name


def _text_of(run: ToolResults, number: int) -> str:
    results = run.tool_results
    if not 1 <= number <= len(results):
        raise ToolError(f"no tool result {number}; tool results are numbered 1 to {len(results)}")
    return results[number - 1].text


class _NoResults:
    tool_results = ()
    has_left_out_results = False
    read_tool: ReadTool = READ_TOOL_RESULT


READ_TOOL_RESULT_TOOL = _make_read_tool_result(_NoResults())
"""The function without a run, to check that no other tool has its name."""
_DECLARATIONS: Mapping[ReadTool, ToolNamespace] = {
    READ_TOOL_RESULT: READ_TOOL_RESULT_TOOL.namespace,
    RECALL_OUTPUT: _make_recall_output(_NoResults()).namespace,
}


def make_placeholder(message: Message, *, number: int, tokens: int, read_tool: ReadTool) -> Message:
    """Return the line that replaces a tool result and says how to read it.

    number: the number by which the function reads it.
    tokens: the size of the result.
    """
    text = (
        f"[This result of {message.name} ({tokens} tokens) was left out to save space. "
        f"To read it, call {FUNCTIONS}.{read_tool} with {number}.]"
    )
    return replace(message, content=text)


def replacements_in_prompt(
    opening: Sequence[Message],
    replacements: Mapping[int, Message | None],
    *,
    read_tool: ReadTool | None,
) -> dict[int, tuple[Message, ...]]:
    """Return what replaces messages in the prompt, including the declaration of the function.

    opening: the messages that the run started with, the system message first.
    replacements: replacement by index of the message; None removes the message.
    read_tool: name of the function to declare; None declares none.
    """
    replaced: dict[int, tuple[Message, ...]] = {
        at: () if message is None else (message,) for at, message in replacements.items()
    }
    if read_tool is None:
        return replaced
    declaration = _DECLARATIONS[read_tool]
    for at, original in enumerate(opening[:2]):
        message = replacements.get(at, original)
        if message is not None and isinstance(message.content, DeveloperContent):
            content = _declare(message.content, declaration)
            return {**replaced, at: (replace(message, content=content),)}
    system = replaced.get(0, tuple(opening[:1]))
    developer = Message("developer", _declare(DeveloperContent(), declaration))
    return {**replaced, 0: (*system, developer)}


def _declare(content: DeveloperContent, declaration: ToolNamespace) -> DeveloperContent:
    """Return a developer message's content with one more function."""
    spaces = {space.name: space for space in content.tools}
    known = spaces.get(FUNCTIONS, ToolNamespace(FUNCTIONS))
    spaces[FUNCTIONS] = replace(known, tools=(*known.tools, *declaration.tools))
    return replace(content, tools=tuple(spaces.values()))

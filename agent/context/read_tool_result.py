"""The way back to the tool outputs that a run's prompt was relieved of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from ...errors import ToolError
from ...harmony import DeveloperContent, Message, ToolNamespace
from ...tools import FUNCTIONS, Tool, tool


class Outputs(Protocol):
    """What tools have said in a run."""

    @property
    def outputs(self) -> Sequence[Message]:
        """All of it, shown to the model or not."""
        ...

    @property
    def left_out(self) -> bool:
        """Whether the model is shown less than that."""
        ...


def read_tool_result_tool(run: Outputs) -> Tool:
    """The function by which a model reads an output again; offered once one was left out."""

    @tool(enabled=lambda _: run.left_out, idempotent=True)
    async def read_tool_result(output: int) -> str:
        """Read the output of an earlier call again, if it was left out to save room.

        Args:
            output: Its number: 1 for the first output of the conversation.
        """
        outputs = run.outputs
        if not 1 <= output <= len(outputs):
            raise ToolError(f"there is no output {output}; they are numbered 1 to {len(outputs)}")
        return outputs[output - 1].text

    return read_tool_result


class _Nothing:
    outputs = ()
    left_out = False


READ_TOOL_RESULT = read_tool_result_tool(_Nothing())
"""As a model sees it."""


def left_out(message: Message, number: int, tokens: int) -> Message:
    """What stands in the place of a tool's output: one line that says how to read it again."""
    text = (
        f"[{tokens} tokens of {message.name} were left out here to save room. "
        f"{FUNCTIONS}.read_tool_result shows them again, as output {number}.]"
    )
    return replace(message, content=text)


def shown_with_recall(
    opening: Sequence[Message], replaced: Mapping[int, Message | None], *, offered: bool
) -> dict[int, tuple[Message, ...]]:
    """What stands in the places of messages, where the function may have to be told of, too.

    opening: what the run began with, the system message first.
    replaced: by a message's index, what the model is shown for it; None leaves it out.
    offered: whether the function is.
    """
    shown: dict[int, tuple[Message, ...]] = {
        at: () if told is None else (told,) for at, told in replaced.items()
    }
    if not offered:
        return shown
    for at, message in enumerate(opening[:2]):
        told = replaced.get(at, message)
        if told is not None and isinstance(told.content, DeveloperContent):
            return {**shown, at: (replace(told, content=_offering(told.content)),)}
    system = shown.get(0, opening[:1])
    return {**shown, 0: (*system, Message("developer", _offering(DeveloperContent())))}


def _offering(content: DeveloperContent) -> DeveloperContent:
    """A developer message with one function more."""
    spaces = {space.name: space for space in content.tools}
    known = spaces.get(FUNCTIONS, ToolNamespace(FUNCTIONS))
    tools = (*known.tools, *READ_TOOL_RESULT.namespace.tools)
    spaces[FUNCTIONS] = replace(known, tools=tools)
    return replace(content, tools=tuple(spaces.values()))

"""The messages that open a run: who the model is, what it can call, and the task."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from datetime import date
from typing import Any, cast

from ...harmony import DeveloperContent, Message, SystemContent, ToolNamespace
from ...tools import FUNCTIONS, RunContext, Toolbox
from ..config import AgentConfig

Task = str | Sequence[Message]
"""What the user asks, or a conversation that ends with it."""


async def read_instructions(agent: AgentConfig[Any], context: RunContext[Any]) -> str | None:
    """Return the instructions for a run, calling the function if the agent has one.

    Raises TypeError if it does not return text, and whatever it raises.
    """
    if not callable(agent.instructions):
        return agent.instructions
    returned: Any = agent.instructions(context)
    text: object = returned
    if isinstance(returned, Awaitable):
        text = await cast("Awaitable[object]", returned)
    if not isinstance(text, str):
        raise TypeError(f"{agent.instructions!r} returned {text!r}; return text")
    return text


def continued_instructions(agent: AgentConfig[Any], opening: Sequence[Message]) -> str | None:
    """Return the agent's instructions; if a function makes them, those of the run's opening."""
    if not callable(agent.instructions):
        return agent.instructions
    for message in opening:
        if isinstance(message.content, DeveloperContent):
            return message.content.instructions
    return None


def opening_messages(
    agent: AgentConfig[Any], toolbox: Toolbox, task: Task, instructions: str | None
) -> list[Message]:
    """Return the system and developer messages, then the task.

    For the same agent on the same day they are equal token for token, so that an engine's prefix
    cache serves them from the second run on.
    """
    system = SystemContent(
        reasoning_effort=agent.reasoning,
        conversation_start_date=(agent.today or date.today()).isoformat(),  # noqa: DTZ011 - the user's
        tools=toolbox.namespaces,
    )
    functions = toolbox.functions
    developer = DeveloperContent(
        instructions=instructions,
        tools=(ToolNamespace(FUNCTIONS, tools=functions),) if functions else (),
        response_formats=agent.output_format.response_formats,
    )
    has_developer = developer != DeveloperContent()
    return [
        Message("system", system),
        *([Message("developer", developer)] if has_developer else []),
        *task_messages(task),
    ]


def task_messages(task: Task) -> list[Message]:
    """Return a task as messages. Raises TypeError if it is neither text nor messages."""
    messages = [Message("user", task)] if isinstance(task, str) else task
    if not _are_messages(messages):
        raise TypeError(f"the task is {task!r}; give text, or a list of ossia.harmony.Message")
    return list(messages)


def check_task(task: Task) -> None:
    """Raise TypeError if a task is neither text nor messages, and ValueError if it is empty."""
    if not any(message.text.strip() for message in task_messages(task)):
        raise ValueError(f"the task is {task!r}, which is empty")


def _are_messages(task: object) -> bool:
    return isinstance(task, Sequence) and all(
        isinstance(item, Message) for item in cast("Sequence[object]", task)
    )

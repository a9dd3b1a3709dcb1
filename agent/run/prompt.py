"""What a run says to the model before the model says anything."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from ...harmony import DeveloperContent, Message, ResponseFormat, SystemContent, ToolNamespace
from ...tools import FUNCTIONS, Toolbox
from ..config import AgentConfig


def opening(
    agent: AgentConfig[Any],
    toolbox: Toolbox,
    formats: Sequence[ResponseFormat],
    task: str | Sequence[Message],
) -> list[Message]:
    """The system and developer messages, then the task.

    The same agent says the same on the same day, token for token, so that an engine's prefix
    cache serves it from the second run on.
    """
    system = SystemContent(
        reasoning_effort=agent.reasoning,
        conversation_start_date=(agent.today or date.today()).isoformat(),  # noqa: DTZ011 - the user's
        tools=toolbox.namespaces,
    )
    functions = toolbox.functions
    developer = DeveloperContent(
        instructions=agent.instructions,
        tools=(ToolNamespace(FUNCTIONS, tools=functions),) if functions else (),
        response_formats=tuple(formats),
    )
    told = developer != DeveloperContent()
    return [
        Message("system", system),
        *([Message("developer", developer)] if told else []),
        *([Message("user", task)] if isinstance(task, str) else task),
    ]

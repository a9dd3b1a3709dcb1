"""Messages to tokens, exactly as openai-harmony 0.0.8 renders them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from ..errors import MessageError
from . import special
from .content import DeveloperContent, SystemContent
from .header import Header, header_tokens
from .messages import Message, Part, Role
from .sections import developer_text, system_text
from .vocabulary import encode

Reasoning = Literal["auto", "finished", "keep"]


def render(
    messages: Sequence[Message], *, next_role: Role | None = None, reasoning: Reasoning = "auto"
) -> list[int]:
    """Tokens of a whole conversation.

    next_role: whose header to open at the end; "assistant" makes it a prompt.
    reasoning: what becomes of the analysis channel.
        "auto": as openai-harmony does, it is dropped before the first final message,
        if the assistant's last message is a final one.
        "finished": it is dropped in every turn that ended in a final message and was
        followed by a user's.
        "keep": all stays.

    Raises MessageError if a message's header would not survive.
    Source: OpenAI harmony format; token-identical to openai-harmony 0.0.8.
    """
    functions = offers_functions(messages)
    dropped = dropped_before(messages, reasoning)
    out: list[int] = []
    for at, message in enumerate(messages):
        if at >= dropped or message.channel != "analysis":
            out += message_tokens(message, functions=functions)
    if next_role is not None:
        out += opening(next_role)
    return out


def opening(role: Role) -> list[int]:
    """`<|start|>` and the role: what stands before a completion."""
    return [special.START, *encode(role)]


def message_tokens(message: Message, *, functions: bool = False) -> list[int]:
    """Tokens of one message, from `<|start|>` to its end.

    functions: whether the conversation offers functions, which a system message mentions.
    """
    header = Header(
        message.role, message.name, message.channel, message.recipient, message.content_type
    )
    out = [*header_tokens(header)]
    if isinstance(message.content, str):
        out += encode(message.content)
    else:
        for part in message.parts:
            out += encode(_part_text(part, message.role, functions=functions))
    is_call = message.role == "assistant" and message.recipient is not None
    out.append(special.CALL if is_call else special.END)
    return out


def offers_functions(messages: Sequence[Message]) -> bool:
    """Whether some developer message describes a function."""
    return any(
        isinstance(part, DeveloperContent)
        and any(space.name == "functions" and space.tools for space in part.tools)
        for message in messages
        if not isinstance(message.content, str)
        for part in message.parts
    )


def dropped_before(messages: Sequence[Message], reasoning: Reasoning) -> int:
    """The index before which messages of the analysis channel are left out."""
    if reasoning == "keep":
        return 0
    finals = [at for at, message in enumerate(messages) if message.channel == "final"]
    if reasoning == "auto":
        spoken = [message for message in messages if message.role == "assistant"]
        return finals[0] if finals and spoken and spoken[-1].channel == "final" else 0
    users = [at for at, message in enumerate(messages) if message.role == "user"]
    return max((at for at in finals if users and at < users[-1]), default=0)


def _part_text(part: Part, role: Role, *, functions: bool) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, SystemContent):
        _check_role("SystemContent", role, "system")
        return system_text(part, functions=functions)
    _check_role("DeveloperContent", role, "developer")
    return developer_text(part)


def _check_role(content: str, role: Role, due: Role) -> None:
    if role != due:
        raise MessageError(f"{content} belongs into a {due} message, not into one of {role!r}")

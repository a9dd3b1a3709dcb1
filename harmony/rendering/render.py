"""Messages to tokens, exactly as openai-harmony 0.0.8 renders them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from typing import Literal

from ...errors import MessageError
from ..format import (
    CONSTRAIN_MARK,
    DeveloperContent,
    Header,
    Message,
    Part,
    Role,
    SystemContent,
    check,
    encode,
    header_of,
    special,
)
from .sections import developer_text, system_text

Reasoning = Literal["auto", "finished", "keep"]
"""What `render` does with the analysis channel of turns that are over."""


def render(
    messages: Sequence[Message],
    *,
    next_role: Role | None = None,
    reasoning: Reasoning = "auto",
    training: bool = False,
) -> list[int]:
    """Tokens of a whole conversation.

    next_role: whose header to open at the end; "assistant" makes it a prompt.
    reasoning: what becomes of the analysis channel.
        "auto": as openai-harmony does, it is dropped before the first final message,
        if the assistant's last message is a final one.
        "finished": it is dropped in every turn that ended in a final message and was
        followed by a user's.
        "keep": all stays.
    training: end a final message of the assistant, if it is the last, in `<|return|>`, as it
        would have been sampled.

    Raises MessageError if a message's header would not survive.
    Source: OpenAI harmony format; token-identical to openai-harmony 0.0.8.
    """
    out: list[int] = []
    for tokens in _rendered(messages, reasoning):
        out += tokens
    last = messages[-1] if messages else None
    if training and last and (last.role, last.channel) == ("assistant", "final"):
        out[-1] = special.RETURN
    if next_role is not None:
        out += generation_prefix(next_role)
    return out


def count(
    messages: Sequence[Message], *, next_role: Role | None = None, reasoning: Reasoning = "auto"
) -> int:
    """How many tokens `render` makes of it. Rendering afterwards costs no second encoding."""
    size = sum(map(len, _rendered(messages, reasoning)))
    return size if next_role is None else size + len(generation_prefix(next_role))


def _rendered(messages: Sequence[Message], reasoning: Reasoning) -> Iterator[list[int]]:
    functions = offers_functions(messages)
    dropped = dropped_before(messages, reasoning)
    for at, message in enumerate(messages):
        if at >= dropped or message.channel != "analysis":
            yield message_tokens(message, functions=functions)


def generation_prefix(role: Role) -> list[int]:
    """`<|start|>` and the role: what stands before a completion."""
    return [special.START, *encode(role)]


def message_tokens(message: Message, *, functions: bool = False) -> list[int]:
    """Tokens of one message, from `<|start|>` to its end; made once, and not to be changed.

    functions: whether the conversation offers functions, which a system message mentions.
    """
    if known := message.recall(functions=functions):
        return known
    header = header_of(message)
    out = [*header_tokens(header)]
    if isinstance(message.content, str):
        out += encode(message.content)
    else:
        for part in message.parts:
            out += encode(_part_text(part, message.role, functions=functions))
    out.append(special.CALL if header.is_call else special.END)
    message.remember(out, functions=functions)
    return out


@lru_cache(maxsize=4096)
def header_tokens(header: Header) -> tuple[int, ...]:
    """The header from `<|start|>` to `<|message|>`, field by field as openai-harmony encodes it.

    Raises MessageError if a field would not survive the way to the model and back.
    """
    check(header)
    role, name, channel, recipient, kind = header
    author = role if name is None else f"{role}:{name}"
    out = [special.START, *encode(name or "" if role == "tool" else author)]
    if recipient not in {None, "all"}:
        out += encode(f" to={recipient}")
    if channel is not None:
        out += [special.CHANNEL, *encode(channel)]
    if kind is not None and kind.startswith(CONSTRAIN_MARK):
        out += [*encode(" "), special.CONSTRAIN, *encode(kind.removeprefix(CONSTRAIN_MARK))]
    elif kind is not None:
        out += encode(f" {kind}")
    return (*out, special.MESSAGE)


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


@cache
def answer_header() -> tuple[int, ...]:
    """What is written for the model where it may do nothing but answer."""
    return (special.CHANNEL, *encode("final"), special.MESSAGE)

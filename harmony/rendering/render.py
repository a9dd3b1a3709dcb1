"""Rendering of messages to tokens, exactly as openai-harmony 0.0.8 renders them."""

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
    check_header,
    encode,
    header_of,
    special,
)
from .sections import developer_text, system_text

Reasoning = Literal["auto", "finished", "keep"]
"""What `render` does with the analysis channel of earlier turns."""


def render(
    messages: Sequence[Message],
    *,
    next_role: Role | None = None,
    reasoning: Reasoning = "auto",
    training: bool = False,
) -> list[int]:
    """Return the tokens of a conversation.

    next_role: the author of the next message, whose header starts at the end; "assistant" makes
        a prompt.
    reasoning: what happens to the analysis channel.
        "auto": it is dropped before the first final message, if the last message of the
        assistant is final, as in openai-harmony.
        "finished": it is dropped in every turn that has a final message and a later user
        message.
        "keep": nothing is dropped.
    training: end the last message with `<|return|>`, as it is sampled, if it is a final message
        of the assistant.

    Raises MessageError if a header could not be parsed again.
    Source: OpenAI harmony format; token-identical to openai-harmony 0.0.8.
    """
    out: list[int] = []
    for tokens in _message_tokens(messages, reasoning):
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
    """Return the number of tokens of `render`. The encoded messages are cached for rendering."""
    size = sum(map(len, _message_tokens(messages, reasoning)))
    return size if next_role is None else size + len(generation_prefix(next_role))


def _message_tokens(messages: Sequence[Message], reasoning: Reasoning) -> Iterator[list[int]]:
    functions = offers_functions(messages)
    first_kept = first_kept_index(messages, reasoning)
    for at, message in enumerate(messages):
        if at >= first_kept or message.channel != "analysis":
            yield message_tokens(message, functions=functions)


def generation_prefix(role: Role) -> list[int]:
    """Return `<|start|>` and the role: the tokens before a completion."""
    return [special.START, *encode(role)]


def message_tokens(message: Message, *, functions: bool = False) -> list[int]:
    """Return the tokens of one message, from `<|start|>` to its end. Do not modify the list.

    functions: whether the conversation has functions, which the system message mentions.
    """
    if cached := message.cached_tokens(functions=functions):
        return cached
    header = header_of(message)
    out = [*header_tokens(header)]
    if isinstance(message.content, str):
        out += encode(message.content)
    else:
        for part in message.parts:
            out += encode(_part_text(part, message.role, functions=functions))
    out.append(special.CALL if header.is_call else special.END)
    message.cache_tokens(out, functions=functions)
    return out


@lru_cache(maxsize=4096)
def header_tokens(header: Header) -> tuple[int, ...]:
    """Return the header from `<|start|>` to `<|message|>`, encoded field by field.

    Raises MessageError if a field could not be parsed again.
    """
    check_header(header)
    role, name, channel, recipient, content_type = header
    author = role if name is None else f"{role}:{name}"
    out = [special.START, *encode(name or "" if role == "tool" else author)]
    if recipient not in {None, "all"}:
        out += encode(f" to={recipient}")
    if channel is not None:
        out += [special.CHANNEL, *encode(channel)]
    if content_type is not None and content_type.startswith(CONSTRAIN_MARK):
        word = content_type.removeprefix(CONSTRAIN_MARK)
        out += [*encode(" "), special.CONSTRAIN, *encode(word)]
    elif content_type is not None:
        out += encode(f" {content_type}")
    return (*out, special.MESSAGE)


def offers_functions(messages: Sequence[Message]) -> bool:
    """Return whether a developer message describes a function."""
    return any(
        isinstance(part, DeveloperContent)
        and any(namespace.name == "functions" and namespace.tools for namespace in part.tools)
        for message in messages
        if not isinstance(message.content, str)
        for part in message.parts
    )


def first_kept_index(messages: Sequence[Message], reasoning: Reasoning) -> int:
    """Return the index before which messages of the analysis channel are dropped."""
    if reasoning == "keep":
        return 0
    finals = [at for at, message in enumerate(messages) if message.channel == "final"]
    if reasoning == "auto":
        channels = [message.channel for message in messages if message.role == "assistant"]
        return finals[0] if finals and channels and channels[-1] == "final" else 0
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


def _check_role(content: str, role: Role, expected: Role) -> None:
    if role != expected:
        raise MessageError(f"{content} belongs in a {expected} message, not in a {role} message")


@cache
def answer_header() -> tuple[int, ...]:
    """Return the header of an answer, for a prompt after which the model can only answer."""
    return (special.CHANNEL, *encode("final"), special.MESSAGE)

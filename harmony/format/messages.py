"""Messages, and conversations as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from ...errors import MessageError
from .content import DeveloperContent, Json, SystemContent
from .text import replace_surrogates

Role = Literal["system", "developer", "user", "assistant", "tool"]
ROLES: frozenset[str] = frozenset(get_args(Role))

Part = str | SystemContent | DeveloperContent
Content = Part | tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Message:
    """An immutable message of a conversation."""

    role: Role
    content: Content
    """Text or settings; a tuple for a message of several parts. Each part is encoded separately."""
    name: str | None = field(default=None, kw_only=True)
    """The author's name; for a tool message, the name of the tool, such as `functions.search`."""
    channel: str | None = field(default=None, kw_only=True)
    """`analysis`, `commentary` or `final`."""
    recipient: str | None = field(default=None, kw_only=True)
    """The tool in a tool call, `assistant` in a tool result."""
    content_type: str | None = field(default=None, kw_only=True)
    """`<|constrain|>json`, as the model writes it, or a plain word such as `code`."""
    _tokens: tuple[bool, list[int]] | None = field(
        default=None, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        # Here text enters that is sent, stored and shown: nothing behind this has to check it.
        parts = tuple(
            replace_surrogates(part) if isinstance(part, str) else part for part in self.parts
        )
        if parts != self.parts:
            content = parts if isinstance(self.content, tuple) else parts[0]
            object.__setattr__(self, "content", content)

    def cached_tokens(self, *, functions: bool) -> list[int] | None:
        """Return the tokens that the renderer cached here, if any."""
        cached = self._tokens
        return cached[1] if cached and cached[0] == functions else None

    def cache_tokens(self, tokens: list[int], *, functions: bool) -> None:
        """Cache the rendered tokens; the message never changes."""
        object.__setattr__(self, "_tokens", (functions, tokens))

    @property
    def text(self) -> str:
        """The text parts, joined; settings are omitted."""
        if isinstance(self.content, str):
            return self.content
        return "".join(part for part in self.parts if isinstance(part, str))

    @property
    def parts(self) -> tuple[Part, ...]:
        """The content as a tuple of parts."""
        return self.content if isinstance(self.content, tuple) else (self.content,)

    def to_dict(self) -> Json:
        """Return the JSON that openai-harmony's `Message.to_dict` writes."""
        out: Json = {
            "role": self.role,
            "name": self.name,
            "content": [
                {"type": "text", "text": part} if isinstance(part, str) else part.to_dict()
                for part in self.parts
            ],
        }
        if self.channel is not None:
            out["channel"] = self.channel
        if self.recipient is not None:
            out["recipient"] = self.recipient
        if self.content_type is not None:
            out["content_type"] = self.content_type
        return out

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Message:
        """Read the JSON of `to_dict`, ours or openai-harmony's.

        Raises MessageError if the role or the type of a part is unknown.
        """
        role = raw["role"]
        if role not in ROLES:
            raise MessageError(f"unknown role {role!r}; known: {', '.join(sorted(ROLES))}")
        content = raw["content"]
        get = raw.get
        return cls(
            role,
            content if isinstance(content, str) else _parts(content),
            name=get("name"),
            channel=get("channel"),
            recipient=get("recipient"),
            content_type=get("content_type"),
        )


def conversation_to_json(messages: Iterable[Message]) -> str:
    """Return a conversation as JSON, in the form of openai-harmony's `Conversation`."""
    return json.dumps({"messages": [message.to_dict() for message in messages]})


def conversation_from_json(text: str) -> list[Message]:
    """Read the JSON of `conversation_to_json`, ours or openai-harmony's, or a list of messages.

    Raises MessageError, naming the invalid message, for any other text.
    """
    try:
        raw = json.loads(text)
    except ValueError as error:
        raise MessageError(f"a conversation must be JSON: {error}") from error
    match raw:
        case {"messages": [*messages]} | [*messages]:
            return [_message(at, message) for at, message in enumerate(messages)]
        case _:
            raise MessageError('a conversation must be {"messages": [...]} or a list of messages')


def _message(at: int, raw: Any) -> Message:
    try:
        return Message.from_dict(raw)
    except KeyError as error:
        raise MessageError(f"message {at} has no {error}") from error
    except (AttributeError, TypeError) as error:
        raise MessageError(f"message {at} has the wrong form: {error}") from error
    except MessageError as error:
        raise MessageError(f"message {at}: {error}") from error


def _parts(raw: list[Json]) -> Content:
    if len(raw) == 1:
        return _part(raw[0])
    return tuple(map(_part, raw))


def _part(raw: Json) -> Part:
    kind = raw.get("type")
    if kind == "text":
        return str(raw["text"])
    if kind == "system_content":
        return SystemContent.from_dict(raw)
    if kind == "developer_content":
        return DeveloperContent.from_dict(raw)
    raise MessageError(
        f"unknown content type {kind!r}; known: text, system_content, developer_content"
    )

"""A message: who says what to whom, and on which channel."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from ...errors import MessageError
from .content import DeveloperContent, Json, SystemContent

Role = Literal["system", "developer", "user", "assistant", "tool"]
ROLES: frozenset[str] = frozenset(get_args(Role))

Part = str | SystemContent | DeveloperContent
Content = Part | tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation, immutable."""

    role: Role
    content: Content
    """Text, or settings; a tuple where a message has several parts, each encoded by itself."""
    name: str | None = field(default=None, kw_only=True)
    """The author's name; a tool's message has its tool's, `functions.search` say."""
    channel: str | None = field(default=None, kw_only=True)
    """`analysis`, `commentary` or `final`."""
    recipient: str | None = field(default=None, kw_only=True)
    """Who is addressed: the tool in a call, `assistant` in its answer."""
    content_type: str | None = field(default=None, kw_only=True)
    """`<|constrain|>json` as the model writes it, or a bare word such as `code`."""
    _rendered: tuple[bool, list[int]] | None = field(
        default=None, init=False, repr=False, compare=False
    )

    def recall(self, *, functions: bool) -> list[int] | None:
        """For the renderer: the tokens that it has made of this message before."""
        known = self._rendered
        return known[1] if known and known[0] == functions else None

    def remember(self, tokens: list[int], *, functions: bool) -> None:
        """For the renderer: keep the tokens, since the message never changes."""
        object.__setattr__(self, "_rendered", (functions, tokens))

    @property
    def text(self) -> str:
        """The text parts, joined; settings are left out."""
        if isinstance(self.content, str):
            return self.content
        return "".join(part for part in self.parts if isinstance(part, str))

    @property
    def parts(self) -> tuple[Part, ...]:
        """The content as a tuple, however many parts there are."""
        return self.content if isinstance(self.content, tuple) else (self.content,)

    def to_dict(self) -> Json:
        """JSON as openai-harmony's `Message.to_dict` writes it."""
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
        """Read what `to_dict` wrote, here or in openai-harmony.

        Raises MessageError if the role or a part's type is unknown.
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
    """A whole conversation as JSON, in the shape of openai-harmony's `Conversation`."""
    return json.dumps({"messages": [message.to_dict() for message in messages]})


def conversation_from_json(text: str) -> list[Message]:
    """Read what `conversation_to_json` wrote, here or in openai-harmony, or its bare list.

    Raises MessageError, with the message to blame, if it is anything else.
    """
    try:
        raw = json.loads(text)
    except ValueError as error:
        raise MessageError(f"a conversation is JSON, and this is not: {error}") from error
    match raw:
        case {"messages": [*messages]} | [*messages]:
            return [_message(at, message) for at, message in enumerate(messages)]
        case _:
            raise MessageError('a conversation is {"messages": [...]}, or the list alone')


def _message(at: int, raw: Any) -> Message:
    try:
        return Message.from_dict(raw)
    except KeyError as error:
        raise MessageError(f"message {at} lacks {error}") from error
    except (AttributeError, TypeError) as error:
        raise MessageError(f"message {at} is of the wrong shape: {error}") from error
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

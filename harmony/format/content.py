"""The content of system and developer messages: settings, instructions and tools."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from ...errors import MessageError
from .text import encodable

ReasoningEffort = Literal["low", "medium", "high"]

IDENTITY = "You are ChatGPT, a large language model trained by OpenAI."
CHANNELS = ("analysis", "commentary", "final")
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ToolDescription:
    """A function as it is described to the model."""

    name: str
    description: str
    parameters: Mapping[str, Any] | None = field(default=None, hash=False)
    """JSON Schema of the arguments; None for a function without arguments."""

    def __post_init__(self) -> None:
        _make_encodable(self, "description", "parameters")

    def to_dict(self) -> Json:
        """Return the JSON that openai-harmony writes."""
        out: Json = {"name": self.name, "description": self.description}
        if self.parameters is not None:
            out["parameters"] = dict(self.parameters)
        return out

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> ToolDescription:
        """Read the JSON of `to_dict`."""
        return cls(raw["name"], raw["description"], raw.get("parameters"))


@dataclass(frozen=True, slots=True)
class ToolNamespace:
    """A named group of functions: `functions` for user functions, `browser` for a built-in tool."""

    name: str
    description: str | None = None
    tools: tuple[ToolDescription, ...] = ()
    """If empty, the model sees only the description: `python` takes code, not arguments."""

    def __post_init__(self) -> None:
        _make_encodable(self, "description")

    def to_dict(self) -> Json:
        """Return the JSON that openai-harmony writes."""
        out: Json = {"name": self.name}
        if self.description is not None:
            out["description"] = self.description
        out["tools"] = [tool.to_dict() for tool in self.tools]
        return out

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> ToolNamespace:
        """Read the JSON of `to_dict`."""
        tools = tuple(ToolDescription.from_dict(tool) for tool in raw["tools"])
        return cls(raw["name"], raw.get("description"), tools)


@dataclass(frozen=True, slots=True)
class ResponseFormat:
    """The JSON Schema that the answer must follow."""

    name: str
    schema: Mapping[str, Any] = field(hash=False)
    """JSON Schema."""
    description: str | None = None

    def __post_init__(self) -> None:
        _make_encodable(self, "schema", "description")

    def to_dict(self) -> Json:
        """Return JSON in the style of the other content types; openai-harmony has no such field."""
        out: Json = {"name": self.name, "schema": dict(self.schema)}
        if self.description is not None:
            out["description"] = self.description
        return out

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> ResponseFormat:
        """Read the JSON of `to_dict`."""
        return cls(raw["name"], raw["schema"], raw.get("description"))


@dataclass(frozen=True, slots=True)
class SystemContent:
    """The model's identity, tools and reasoning effort. None omits the line."""

    model_identity: str | None = IDENTITY
    reasoning_effort: ReasoningEffort | None = "medium"
    conversation_start_date: str | None = None
    """YYYY-MM-DD."""
    knowledge_cutoff: str | None = "2024-06"
    channels: tuple[str, ...] | None = CHANNELS
    tools: tuple[ToolNamespace, ...] = ()
    """Built-in tools; functions belong in DeveloperContent."""
    channel_required: bool = True

    def __post_init__(self) -> None:
        check_namespaces(self.tools)
        _make_encodable(self, "model_identity", "conversation_start_date", "knowledge_cutoff")

    def to_dict(self) -> Json:
        """Return the JSON that openai-harmony writes; a None that overrides a default is null."""
        effort = self.reasoning_effort
        out: Json = {
            "model_identity": self.model_identity,
            "reasoning_effort": effort.capitalize() if effort else None,
        }
        if self.conversation_start_date is not None:
            out["conversation_start_date"] = self.conversation_start_date
        out["knowledge_cutoff"] = self.knowledge_cutoff
        out["channel_config"] = (
            self.channels
            if self.channels is None
            else {
                "valid_channels": list(self.channels),
                "channel_required": self.channel_required,
            }
        )
        if self.tools:
            out["tools"] = {namespace.name: namespace.to_dict() for namespace in self.tools}
        out["type"] = "system_content"
        return out

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> SystemContent:
        """Read the JSON of `to_dict`, ours or openai-harmony's; a missing key has its default."""
        config: Mapping[str, Any] | None = raw.get(
            "channel_config", {"valid_channels": CHANNELS, "channel_required": True}
        )
        effort = raw.get("reasoning_effort", "Medium")
        return cls(
            model_identity=raw.get("model_identity", IDENTITY),
            reasoning_effort=None if effort is None else effort.lower(),
            conversation_start_date=raw.get("conversation_start_date"),
            knowledge_cutoff=raw.get("knowledge_cutoff", "2024-06"),
            channels=None if config is None else tuple(config["valid_channels"]),
            tools=_namespaces(raw),
            channel_required=True if config is None else config["channel_required"],
        )


@dataclass(frozen=True, slots=True)
class DeveloperContent:
    """The instructions, the functions the model may call, and the format of the answer."""

    instructions: str | None = None
    tools: tuple[ToolNamespace, ...] = ()
    response_formats: tuple[ResponseFormat, ...] = ()

    def __post_init__(self) -> None:
        check_namespaces(self.tools)
        _make_encodable(self, "instructions")

    def to_dict(self) -> Json:
        """Return the JSON that openai-harmony writes, plus `response_formats`."""
        out: Json = {}
        if self.instructions is not None:
            out["instructions"] = self.instructions
        if self.tools:
            out["tools"] = {namespace.name: namespace.to_dict() for namespace in self.tools}
        if self.response_formats:
            out["response_formats"] = [form.to_dict() for form in self.response_formats]
        out["type"] = "developer_content"
        return out

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> DeveloperContent:
        """Read the JSON of `to_dict`, ours or openai-harmony's."""
        formats = tuple(map(ResponseFormat.from_dict, raw.get("response_formats", ())))
        return cls(raw.get("instructions"), _namespaces(raw), formats)


def _make_encodable(content: object, *fields: str) -> None:
    """Replace lone surrogates in fields of frozen content."""
    for name in fields:
        value = getattr(content, name)
        clean = encodable(value)
        if clean is not value:
            object.__setattr__(content, name, clean)


def check_namespaces(namespaces: tuple[ToolNamespace, ...]) -> None:
    """Raise MessageError if two namespaces have the same name."""
    names = [namespace.name for namespace in namespaces]
    for name in names:
        if names.count(name) > 1:
            raise MessageError(f"two tool namespaces are named {name!r}; merge them into one")


def _namespaces(raw: Mapping[str, Any]) -> tuple[ToolNamespace, ...]:
    by_name = cast("Mapping[str, Json]", raw.get("tools") or {})
    for key, namespace in by_name.items():
        if namespace["name"] != key:
            raise MessageError(f"the namespace under {key!r} is named {namespace['name']!r}")
    return tuple(map(ToolNamespace.from_dict, by_name.values()))

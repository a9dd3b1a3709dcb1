"""Assembly of a header from words in any order, field by field."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

from ..format import CHANNELS, CONSTRAIN_MARK, ROLES, Header, Role, special
from .events import RepairKind
from .header_lexer import CONTENT_TYPES, NAME_PATTERN, Word

NOT_RECIPIENTS = frozenset({*ROLES, *CHANNELS, *CONTENT_TYPES, "all", ""})
"""Words that are never tool names; a message addressed to one of them is not a tool call."""

_GENERIC_NAMESPACES = frozenset({"", "functions", "function", "tools", "tool"})
"""Namespaces that models write before the name of any tool."""


@dataclass
class HeaderFields:
    """The words of one header, collected by field."""

    role: Role | None
    """The author, if the prompt or a word names one."""
    known: frozenset[str]
    """Recipients that exist, if they are known."""
    name: str | None = None
    roles: list[str] = field(default_factory=list[str])
    """All roles in the header."""
    author: str | None = None
    """The word in the author's place, if it is not a role."""
    channels: list[str] = field(default_factory=list[str])
    """Channels directly after `<|channel|>`."""
    stray_channels: list[str] = field(default_factory=list[str])
    """Channels in other places."""
    recipients: list[str] = field(default_factory=list[str])
    has_to: bool = False
    """Whether the header has a `to=`."""
    content_types: list[str] = field(default_factory=list[str])
    unrecognized: list[str] = field(default_factory=list[str])
    """Words that fit no field."""

    def needs_author(self, marker: int | None) -> bool:
        """Return whether a word after this control token may be the author."""
        return marker is None and self.role is None and self.author is None

    def add(self, word: Word, marker: int | None, *, first: bool) -> None:
        """Add a word whose field is known.

        marker: the control token before the segment.
        first: whether the word is the first of its segment.
        """
        if word.field == "role":
            role, _, name = word.value.partition(":")
            self.roles.append(role)
            if self.role is None and self.author is None:
                self.role, self.name = cast("Role", role), name or None
        elif word.field == "channel":
            in_place = first and marker == special.CHANNEL
            (self.channels if in_place else self.stray_channels).append(word.value)
        elif word.field == "content_type":
            self._add_content_type(word.value, marker)
        elif first and not word.has_to and self.needs_author(marker):
            self.author = word.value
        else:
            self.recipients.append(word.value)
            self.has_to = self.has_to or word.has_to

    def add_by_position(self, word: Word, marker: int | None, *, first: bool, last: bool) -> bool:
        """Add an unknown word to the field of its position; return False if there is none.

        last: whether the word is the last of the whole header.
        """
        if not NAME_PATTERN.fullmatch(word.value):
            return False
        recipient, content_type = match_recipient(word.value, self.known)
        if recipient in self.known:
            self.recipients.append(recipient)
            self.content_types += [content_type] if content_type else []
        elif first and marker == special.CHANNEL:
            lower = word.value.lower()
            self.channels.append(lower if lower in CHANNELS else word.value)
        elif last or (first and marker == special.CONSTRAIN):
            self._add_content_type(word.value, marker)
        else:
            return False
        return True

    def _add_content_type(self, word: str, marker: int | None) -> None:
        self.content_types.append(CONSTRAIN_MARK + word if marker == special.CONSTRAIN else word)


def assemble_header(fields: HeaderFields) -> tuple[Header, list[RepairKind]]:
    """Build a header from the fields, and return it with the repairs that were needed."""
    repairs: list[RepairKind] = []
    role = _author(fields, repairs)
    if role != "assistant":
        recipient = fields.recipients[0] if fields.recipients else None
    else:
        recipient = _recipient(fields, repairs)
    is_call = role == "assistant" and recipient is not None
    channel = _channel(fields, repairs, is_call=is_call)
    content_type = _content_type(fields.content_types, repairs)
    return Header(role, fields.name, channel, recipient, content_type), repairs


def match_recipient(name: str, known: frozenset[str]) -> tuple[str, str | None]:
    """Return the known recipient that a name means, and a content type joined to the name.

    The name is returned unchanged if it matches no known recipient, or several, or if it has a
    namespace of its own: `container.exec` does not mean the `exec` of another namespace.
    """
    namespace, _, tool_name = name.rpartition(".")
    if name in known or not _GENERIC_NAMESPACES.issuperset(namespace.split(".")):
        return name, None
    for content_type in ("", "json", "code"):
        if tool_name.endswith(content_type):
            wanted = _normalized(tool_name.removesuffix(content_type))
            matches = [
                recipient
                for recipient in known
                if _normalized(recipient.rpartition(".")[2]) == wanted
            ]
            if len(matches) == 1:
                return matches[0], content_type or None
    return name, None


def _normalized(name: str) -> str:
    return name.lower().replace("-", "_")


def _author(fields: HeaderFields, repairs: list[RepairKind]) -> Role:
    if fields.role is not None:
        if not {fields.role} >= set(fields.roles):
            repairs.append("author")
        return fields.role
    author = fields.author
    if author is None or not fields.has_to:
        repairs.append("author")
    if author is None or (not fields.has_to and "final" in fields.channels):
        # Only the assistant writes to the final channel.
        return "assistant"
    if not fields.has_to and match_recipient(author, fields.known)[0] in fields.known:
        fields.recipients.insert(0, author)
        return "assistant"
    fields.name = author
    return "tool"


def _recipient(fields: HeaderFields, repairs: list[RepairKind]) -> str | None:
    named: dict[str, None] = {}
    for name in fields.recipients:
        if name in NOT_RECIPIENTS - fields.known:
            recipient, content_type = None, name if name in CONTENT_TYPES else None
        else:
            recipient, content_type = match_recipient(name, fields.known)
            named[recipient] = None
        if content_type:
            fields.content_types.append(content_type)
        if recipient != name:
            repairs.append("recipient")
    if len(named) < 2:
        return next(iter(named), None)
    repairs.append("recipient")
    candidates = [name for name in named if name in fields.known] or _full_names(list(named))
    if len(candidates) == 1:
        return candidates[0]
    fields.unrecognized += fields.recipients
    return None


def _full_names(names: Sequence[str]) -> list[str]:
    """Return the names of which all others are suffixes: `functions.bash` before `bash`."""
    return [name for name in names if all(f".{name}".endswith(f".{other}") for other in names)]


def _channel(fields: HeaderFields, repairs: list[RepairKind], *, is_call: bool) -> str | None:
    channels = [*fields.channels, *fields.stray_channels]
    if len(channels) > 1 or not set(channels) <= set(CHANNELS):
        repairs.append("channel")
    # Models sometimes address the answer with `to=final`.
    addressed = [name for name in fields.recipients if name in CHANNELS]
    if addressed and not is_call:
        return addressed[-1]
    named = [name for name in fields.channels if name in CHANNELS] or fields.channels
    if not named or (is_call and named[-1] == "final"):
        others = [name for name in channels if name != "final"]
        named = others or named or fields.stray_channels
    return named[-1] if named else None


def _content_type(names: Sequence[str], repairs: list[RepairKind]) -> str | None:
    if len(names) > 1:
        repairs.append("content_type")
    known = [name for name in names if name.removeprefix(CONSTRAIN_MARK).lower() in CONTENT_TYPES]
    return [None, *names, *known][-1]

"""What the words of a header say together, settled field by field."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

from ..format import CHANNELS, CONSTRAIN_MARK, ROLES, Header, Role, special
from .events import RepairKind
from .header_lexer import CONTENT_TYPES, NAME, Word

PSEUDO = frozenset({*ROLES, *CHANNELS, *CONTENT_TYPES, "all", ""})
"""What no tool is called: a message that is addressed to one of these is no call."""

_NO_NAMESPACE = frozenset({"", "functions", "function", "tools", "tool"})
"""Namespaces that models put before any tool's name."""


@dataclass
class Fields:
    """The words of one header, by the field that they speak for."""

    role: Role | None
    """The author, where the prompt or a word has named one."""
    known: frozenset[str]
    """Recipients that exist, as far as they are known."""
    name: str | None = None
    roles: list[str] = field(default_factory=list[str])
    """Every role that was said."""
    author: str | None = None
    """What stands in the author's place without being a role."""
    channels: list[str] = field(default_factory=list[str])
    """Those that stand where a channel belongs."""
    stray_channels: list[str] = field(default_factory=list[str])
    recipients: list[str] = field(default_factory=list[str])
    addressed: bool = False
    """Whether there was a `to=`."""
    kinds: list[str] = field(default_factory=list[str])
    unrecognized: list[str] = field(default_factory=list[str])
    """Words that speak for nothing."""

    def wants_author(self, mark: int | None) -> bool:
        """Whether a word after that control token may be the author."""
        return mark is None and self.role is None and self.author is None

    def take(self, word: Word, mark: int | None, *, first: bool) -> None:
        """Note a word whose field is plain.

        mark: the control token before the word's stretch.
        first: whether it is the first word of its stretch.
        """
        if word.field == "role":
            known, _, name = word.value.partition(":")
            self.roles.append(known)
            if self.role is None and self.author is None:
                self.role, self.name = cast("Role", known), name or None
        elif word.field == "channel":
            due = first and mark == special.CHANNEL
            (self.channels if due else self.stray_channels).append(word.value)
        elif word.field == "content_type":
            self._take_kind(word.value, mark)
        elif first and not word.addressed and self.wants_author(mark):
            self.author = word.value
        else:
            self.recipients.append(word.value)
            self.addressed = self.addressed or word.addressed

    def guess(self, word: Word, mark: int | None, *, first: bool, last: bool) -> bool:
        """Note an unknown word for the place where it stands; False if that says nothing.

        last: whether it is the last word of the whole header.
        """
        if not NAME.fullmatch(word.value):
            return False
        meant, kind = resolve(word.value, self.known)
        if meant in self.known:
            self.recipients.append(meant)
            self.kinds += [kind] if kind else []
        elif first and mark == special.CHANNEL:
            lower = word.value.lower()
            self.channels.append(lower if lower in CHANNELS else word.value)
        elif last or (first and mark == special.CONSTRAIN):
            self._take_kind(word.value, mark)
        else:
            return False
        return True

    def _take_kind(self, word: str, mark: int | None) -> None:
        self.kinds.append(CONSTRAIN_MARK + word if mark == special.CONSTRAIN else word)


def settle(fields: Fields) -> tuple[Header, list[RepairKind]]:
    """Make one header of the words, and tell in which fields something had to be decided."""
    notes: list[RepairKind] = []
    role = _author(fields, notes)
    if role != "assistant":
        recipient = fields.recipients[0] if fields.recipients else None
    else:
        recipient = _recipient(fields, notes)
    is_call = role == "assistant" and recipient is not None
    channel = _channel(fields, notes, is_call=is_call)
    return Header(role, fields.name, channel, recipient, _kind(fields.kinds, notes)), notes


def resolve(name: str, known: frozenset[str]) -> tuple[str, str | None]:
    """The recipient that a name means, and the content type that was glued to it.

    A name is left as it is if it means none of the known ones, or more than one, or if it has a
    namespace of its own: a model that asks `container.exec` does not mean another tool's `exec`.
    """
    space, _, own = name.rpartition(".")
    if name in known or not _NO_NAMESPACE.issuperset(space.split(".")):
        return name, None
    for kind in ("", "json", "code"):
        if own.endswith(kind):
            key = _key(own.removesuffix(kind))
            meant = [one for one in known if _key(one.rpartition(".")[2]) == key]
            if len(meant) == 1:
                return meant[0], kind or None
    return name, None


def _key(name: str) -> str:
    """What two ways to write one name have in common."""
    return name.lower().replace("-", "_")


def _author(fields: Fields, notes: list[RepairKind]) -> Role:
    if fields.role is not None:
        if not {fields.role} >= set(fields.roles):
            notes.append("author")
        return fields.role
    author = fields.author
    if author is None or not fields.addressed:
        notes.append("author")
    if author is None or (not fields.addressed and "final" in fields.channels):
        # Nobody else gives final answers.
        return "assistant"
    if not fields.addressed and resolve(author, fields.known)[0] in fields.known:
        fields.recipients.insert(0, author)
        return "assistant"
    fields.name = author
    return "tool"


def _recipient(fields: Fields, notes: list[RepairKind]) -> str | None:
    named: dict[str, None] = {}
    for name in fields.recipients:
        if name in PSEUDO - fields.known:
            meant, kind = None, name if name in CONTENT_TYPES else None
        else:
            meant, kind = resolve(name, fields.known)
            named[meant] = None
        if kind:
            fields.kinds.append(kind)
        if meant != name:
            notes.append("recipient")
    if len(named) < 2:
        return next(iter(named), None)
    notes.append("recipient")
    sure = [name for name in named if name in fields.known] or _fullest(list(named))
    if len(sure) == 1:
        return sure[0]
    fields.unrecognized += fields.recipients
    return None


def _fullest(names: Sequence[str]) -> list[str]:
    """`functions.bash` of `bash` and `functions.bash`: one tool, once with its namespace."""
    return [name for name in names if all(f".{name}".endswith(f".{other}") for other in names)]


def _channel(fields: Fields, notes: list[RepairKind], *, is_call: bool) -> str | None:
    said = [*fields.channels, *fields.stray_channels]
    if len(said) > 1 or not set(said) <= set(CHANNELS):
        notes.append("channel")
    # Answers are addressed to `final` now and then.
    aimed = [name for name in fields.recipients if name in CHANNELS]
    if aimed and not is_call:
        return aimed[-1]
    named = [name for name in fields.channels if name in CHANNELS] or fields.channels
    if not named or (is_call and named[-1] == "final"):
        others = [name for name in said if name != "final"]
        named = others or named or fields.stray_channels
    return named[-1] if named else None


def _kind(kinds: Sequence[str], notes: list[RepairKind]) -> str | None:
    if len(kinds) > 1:
        notes.append("content_type")
    plain = [kind for kind in kinds if kind.removeprefix(CONSTRAIN_MARK).lower() in CONTENT_TYPES]
    return [None, *kinds, *plain][-1]

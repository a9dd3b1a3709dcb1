"""A lenient parser for headers that do not follow the grammar.

Each word of a header is assigned to a field, wherever it appears, and the header is assembled
from all fields together. Text that is not part of a header becomes a message of its own. The
parser never guesses a tool from it, and text that the model did not mean to show becomes reasoning.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain, pairwise
from typing import Any, Literal, NamedTuple, cast

from ...errors import HarmonyError
from ..format import CHANNELS, CONSTRAIN_MARK, ROLES, Header, Role, special
from .events import Ending, RepairKind
from .header_fields import NOT_RECIPIENTS, HeaderFields, assemble_header
from .header_grammar import MAX_CACHED_TOKENS, Segment, read_header, split_segments
from .header_lexer import CONTENT_TYPES, NAME_PATTERN, Word, split_words

Repair = tuple[RepairKind, str]
"""A repair, and the header text that needed it."""

HeaderEnd = Ending | Literal["message", "start", "cut"]
"""The end of a header: `<|message|>`, another token, or the end of the stream."""

_SPELLED_OUT = re.compile(r"<\|(channel|constrain)\|>")
_MESSAGE = special.NAMES[special.MESSAGE]
_FLATTENED = re.compile(
    r"^\s*(?=(?:analysis|commentary|final)(?:[^a-z\s]|json| ?to=))"
    r"|assistant(?=(?:analysis|commentary|final)(?:[^a-z]|json|to=))"
)


class RecoveredHeader(NamedTuple):
    """A header that was read leniently."""

    messages: tuple[tuple[Header, str], ...]
    """Content inside the header, as messages: header and text."""
    header: Header | None
    """The header of the message that starts; None if `<|message|>` is missing."""
    repairs: tuple[Repair, ...]


def recover_header(
    tokens: tuple[int, ...], role: Role | None, known: frozenset[str]
) -> RecoveredHeader:
    """Read a header that ended with `<|message|>`.

    tokens: the tokens between `<|start|>`, or the end of the prompt, and `<|message|>`.
    role: the author if the prompt names it; None if the tokens name it.
    known: recipients that exist, if they are known.
    """
    if len(tokens) > MAX_CACHED_TOKENS:
        return _recover_header.__wrapped__(tokens, role, known)
    return _recover_header(tokens, role, known)


@lru_cache(maxsize=1024)
def _recover_header(
    tokens: tuple[int, ...], role: Role | None, known: frozenset[str]
) -> RecoveredHeader:
    try:
        header = read_header(tokens, role)
    except HarmonyError:
        header = None
    if header is not None and _is_plausible(header, known):
        return RecoveredHeader((), header, ())
    recovered = _recover(split_segments(tokens), role, known, "message")
    if header == recovered.header and {kind for kind, _ in recovered.repairs} == {"header"}:
        # For example an unknown tool: unusual, but the header follows the grammar.
        return RecoveredHeader((), header, ())
    return recovered


def recover_messages(
    tokens: Sequence[int], role: Role | None, known: frozenset[str], end: HeaderEnd
) -> RecoveredHeader:
    """Read a header without `<|message|>`; text in it that is not a header is content."""
    segments = split_segments(tokens)
    if len(segments) == 1 and role is not None:
        return _recover_text(segments[0].text, role, known, end)
    return _recover(segments, role, known, end)


def is_wrapped_source(text: str) -> bool:
    """Return whether source code is wrapped in JSON, such as `{"code": "print(1)"}`."""
    parsed: Any = _json(text)
    return isinstance(parsed, dict) and isinstance(cast("Any", parsed).get("code"), str)


def _is_plausible(header: Header, known: frozenset[str]) -> bool:
    """Return whether a header that follows the grammar has plausible values."""
    if header.channel not in {None, *CHANNELS}:
        return False
    content_type = header.content_type
    if header.is_call:
        name = header.recipient or ""
        is_tool = name in known or (not known and NAME_PATTERN.fullmatch(name))
        return name not in NOT_RECIPIENTS and bool(is_tool) and _is_content_type(content_type)
    if content_type and content_type.startswith(CONSTRAIN_MARK):
        return _is_content_type(content_type)
    # A single word may also be the name of a tool, or two joined words.
    return content_type is None or content_type.lower() in CONTENT_TYPES


def _is_content_type(name: str | None) -> bool:
    word = (name or "").removeprefix(CONSTRAIN_MARK)
    return not word or (word not in {*ROLES, *CHANNELS} and bool(NAME_PATTERN.fullmatch(word)))


def _recover_text(text: str, role: Role, known: frozenset[str], end: HeaderEnd) -> RecoveredHeader:
    """Read text without control tokens before or inside it."""
    starts = [match.start() for match in _FLATTENED.finditer(text)]
    if starts and not text[: starts[0]].strip():
        return _recover_flattened(text, starts, role, known)
    words = split_words(text, known)
    first = next(words, None)
    if first is None:
        return RecoveredHeader((), None, ())
    if first.has_to:
        return _recover([Segment(None, text)], role, known, end)
    if end != "start":
        return RecoveredHeader(((Header(role), text.lstrip()),), None, (("missing_message", ""),))
    no_content = {"role", "channel", "content_type"}
    if all(word.field in no_content for word in chain([first], words)):
        return RecoveredHeader((), None, (("stray_text", text),))
    return RecoveredHeader((_as_reasoning(text.strip()),), None, (("stray_text", ""),))


def _recover_flattened(
    text: str, starts: list[int], role: Role, known: frozenset[str]
) -> RecoveredHeader:
    """Read text that lost its control tokens: `analysisWe need ...assistantfinalHello`."""
    messages: list[tuple[Header, str]] = []
    repairs: list[Repair] = [("flattened", "")]
    for start, stop in pairwise([*starts, len(text)]):
        part = text[start:stop].strip().removeprefix("assistant")
        recovered = _recover(
            [Segment(None, ""), Segment(special.CHANNEL, part)], role, known, "end"
        )
        messages += recovered.messages
        repairs += recovered.repairs
    return RecoveredHeader(tuple(messages), None, tuple(repairs))


@dataclass
class _Recovery:
    """The state of reading one header."""

    fields: HeaderFields
    end: HeaderEnd
    messages: list[tuple[Header, str]] = field(default_factory=list[tuple[Header, str]])
    repairs: list[Repair] = field(default_factory=list[Repair])
    kinds: list[RepairKind] = field(default_factory=list[RepairKind])
    """Kinds of repair since the last message."""
    words: str = ""
    """The header text since the last message, as it was sampled."""

    def assemble(self) -> Header:
        """Build a header from the fields; words that fit no field become reasoning."""
        header, kinds = assemble_header(self.fields)
        text = " ".join(self.fields.unrecognized)
        if any(char.isalnum() for char in text):
            self.messages.append(_as_reasoning(text))
            kinds.append("stray_text")
        self.report(*kinds)
        return header

    def report(self, *kinds: RepairKind) -> None:
        """Report the repairs in the header text since the last message."""
        unique = dict.fromkeys((*self.kinds, *kinds) or ("header",))
        self.repairs.extend((kind, self.words) for kind in unique)
        self.kinds, self.words = [], ""

    def start_content(self, text: str, at: int) -> None:
        """Read the text from this index on as content."""
        if text.startswith(_MESSAGE, at):
            self.kinds.append("spelled_out")
            at += len(_MESSAGE)
        self.words += text[:at]
        self.add_message(text[at:])

    def add_message(self, text: str) -> None:
        """Add a message whose content follows its header without `<|message|>`."""
        self.kinds.append("missing_message")
        header = self.assemble()
        if header.is_call and self.end != "call" and not isinstance(_json(text), dict):
            # Without `<|call|>` or complete arguments, it may not be a tool call.
            self.repairs.append(("recipient", header.recipient or ""))
            header = header._replace(recipient=None)
        self.messages.append((header, text))
        self.fields = HeaderFields(header.role, self.fields.known, header.name)


def _recover(
    segments: Sequence[Segment], role: Role | None, known: frozenset[str], end: HeaderEnd
) -> RecoveredHeader:
    recovery = _Recovery(HeaderFields(role, known), end)
    segments = list(
        chain.from_iterable(_split_spelled_out(segment, recovery.kinds) for segment in segments)
    )
    for segment in segments[:-1]:
        _read_segment(segment, recovery, last=False)
    header = None
    if not _read_segment(segments[-1], recovery, last=True):
        if end == "message":
            header = recovery.assemble()
        elif end == "call" and recovery.fields.recipients:
            recovery.add_message("")
        else:
            recovery.report("cut_header" if end == "cut" else "missing_message")
    return RecoveredHeader(tuple(recovery.messages), header, tuple(recovery.repairs))


def _split_spelled_out(segment: Segment, kinds: list[RepairKind]) -> Iterator[Segment]:
    """Split a segment where a control token is written as ordinary text."""
    first, *rest = _SPELLED_OUT.split(segment.text)
    yield Segment(segment.marker, first)
    for name, text in zip(rest[::2], rest[1::2], strict=True):
        kinds.append("spelled_out")
        yield Segment(special.CHANNEL if name == "channel" else special.CONSTRAIN, text)


def _read_segment(segment: Segment, recovery: _Recovery, *, last: bool) -> bool:
    """Add the words of a segment to the fields; return True if content started, as a message."""
    fields, marker = recovery.fields, segment.marker
    recovery.words += special.NAMES.get(marker or 0, "")
    may_be_content = last and recovery.end != "message"
    first = True
    for word, following in _with_next(split_words(segment.text, fields.known)):
        is_author = first and fields.needs_author(marker)
        if may_be_content and not (following and following.has_to):
            # Content may start in the place of the author.
            is_author = False
        if word.field != "unknown" or is_author:
            fields.add(word, marker, first=first)
        elif may_be_content or not fields.add_by_position(
            word, marker, first=first, last=last and following is None
        ):
            if may_be_content or (following and not last):
                recovery.start_content(segment.text, word.at)
                return True
            fields.unrecognized.append(word.value)
        first = False
    if first and marker == special.CHANNEL:
        recovery.kinds.append("channel")
    recovery.words += segment.text
    return False


def _with_next(words: Iterable[Word]) -> Iterator[tuple[Word, Word | None]]:
    """Yield each word with the next one, or with None for the last."""
    previous = None
    for word in words:
        if previous:
            yield previous, word
        previous = word
    if previous:
        yield previous, None


def _as_reasoning(text: str) -> tuple[Header, str]:
    return Header("assistant", channel="analysis"), text


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None

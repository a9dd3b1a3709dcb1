"""Headers as models really write them, read for what they mean.

Every word of a header speaks for a field, wherever it stands, and the fields are settled
together. What is no header is text, and becomes a message of its own: no tool is ever guessed
from it, and what the model did not mean to show is kept as reasoning.
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
from .header_fields import PSEUDO, Fields, settle
from .header_grammar import LONGEST_KEPT, Piece, pieces_of, read_header
from .header_lexer import CONTENT_TYPES, NAME, Word, words_of

Note = tuple[RepairKind, str]
"""A repair, and the words of the header that called for it."""

Close = Ending | Literal["message", "start", "cut"]
"""What ended a header: `<|message|>`, another token, or the end of the stream."""

_SPELLED = re.compile(r"<\|(channel|constrain)\|>")
_MESSAGE = special.NAMES[special.MESSAGE]
_FLAT = re.compile(
    r"^\s*(?=(?:analysis|commentary|final)(?:[^a-z\s]|json| ?to=))"
    r"|assistant(?=(?:analysis|commentary|final)(?:[^a-z]|json|to=))"
)


class Mended(NamedTuple):
    """What a header came to."""

    messages: tuple[tuple[Header, str], ...]
    """Content that stood where none can stand, as messages: header and text."""
    header: Header | None
    """The message that begins; None if `<|message|>` was missing."""
    notes: tuple[Note, ...]


def recover_header(tokens: tuple[int, ...], role: Role | None, known: frozenset[str]) -> Mended:
    """Read a header that `<|message|>` ended.

    tokens: what stands between `<|start|>`, or the end of a prompt, and `<|message|>`.
    role: the author that the prompt has named; None if the tokens name one.
    known: recipients that exist, as far as they are known.
    """
    if len(tokens) > LONGEST_KEPT:
        return _mend_header.__wrapped__(tokens, role, known)
    return _mend_header(tokens, role, known)


@lru_cache(maxsize=1024)
def _mend_header(tokens: tuple[int, ...], role: Role | None, known: frozenset[str]) -> Mended:
    try:
        header = read_header(tokens, role)
    except HarmonyError:
        header = None
    if header is not None and _makes_sense(header, known):
        return Mended((), header, ())
    mended = _mend(pieces_of(tokens), role, known, "message")
    if header == mended.header and {kind for kind, _ in mended.notes} == {"header"}:
        # A tool that nobody knows, say: odd, but nothing had to be mended.
        return Mended((), header, ())
    return mended


def recover_messages(
    tokens: Sequence[int], role: Role | None, known: frozenset[str], close: Close
) -> Mended:
    """Read a header that lacks its `<|message|>`: what is no header in it is content."""
    pieces = pieces_of(tokens)
    if len(pieces) == 1 and role is not None:
        return _mend_bare(pieces[0].text, role, known, close)
    return _mend(pieces, role, known, close)


def is_wrapped_source(text: str) -> bool:
    """Whether source code came as JSON, `{"code": "print(1)"}` say."""
    parsed: Any = _json(text)
    return isinstance(parsed, dict) and isinstance(cast("Any", parsed).get("code"), str)


def _makes_sense(header: Header, known: frozenset[str]) -> bool:
    """Whether a header that follows the grammar also says what can be meant."""
    if header.channel not in {None, *CHANNELS}:
        return False
    kind = header.content_type
    if header.is_call:
        name = header.recipient or ""
        sure = name not in PSEUDO and (name in known or (not known and NAME.fullmatch(name)))
        return bool(sure) and _is_kind(kind)
    if kind and kind.startswith(CONSTRAIN_MARK):
        return _is_kind(kind)
    # A lone word may as well be a tool's name, or two words glued.
    return kind is None or kind.lower() in CONTENT_TYPES


def _is_kind(kind: str | None) -> bool:
    word = (kind or "").removeprefix(CONSTRAIN_MARK)
    return not word or (word not in {*ROLES, *CHANNELS} and bool(NAME.fullmatch(word)))


def _mend_bare(text: str, role: Role, known: frozenset[str], close: Close) -> Mended:
    """Read text that has no control token before it, nor in it."""
    flat = [found.start() for found in _FLAT.finditer(text)]
    if flat and not text[: flat[0]].strip():
        return _mend_flat(text, flat, role, known)
    words = words_of(text, known)
    first = next(words, None)
    if first is None:
        return Mended((), None, ())
    if first.addressed:
        return _mend([Piece(None, text)], role, known, close)
    if close != "start":
        return Mended(((Header(role), text.lstrip()),), None, (("missing_message", ""),))
    plain = {"role", "channel", "content_type"}
    if all(word.field in plain for word in chain([first], words)):
        return Mended((), None, (("stray_text", text),))
    return Mended((_aside(text.strip()),), None, (("stray_text", ""),))


def _mend_flat(text: str, starts: list[int], role: Role, known: frozenset[str]) -> Mended:
    """Read `analysisWe need ...assistantfinalHello`, whose control tokens are gone."""
    messages: list[tuple[Header, str]] = []
    notes: list[Note] = [("flattened", "")]
    for at, end in pairwise([*starts, len(text)]):
        part = text[at:end].strip().removeprefix("assistant")
        mended = _mend([Piece(None, ""), Piece(special.CHANNEL, part)], role, known, "end")
        messages += mended.messages
        notes += mended.notes
    return Mended(tuple(messages), None, tuple(notes))


@dataclass
class _Reading:
    """What has been made of a header so far."""

    fields: Fields
    close: Close
    messages: list[tuple[Header, str]] = field(default_factory=list[tuple[Header, str]])
    notes: list[Note] = field(default_factory=list[Note])
    kinds: list[RepairKind] = field(default_factory=list[RepairKind])
    """Repairs since the last message."""
    words: str = ""
    """The words since the last message, as they were sampled."""

    def settle(self) -> Header:
        """Make a header of the fields; words that fit none are set aside."""
        header, kinds = settle(self.fields)
        text = " ".join(self.fields.unrecognized)
        if any(char.isalnum() for char in text):
            self.messages.append(_aside(text))
            kinds.append("stray_text")
        self.note(*kinds)
        return header

    def note(self, *kinds: RepairKind) -> None:
        """Tell of repairs in the words since the last message."""
        said = dict.fromkeys((*self.kinds, *kinds) or ("header",))
        self.notes.extend((kind, self.words) for kind in said)
        self.kinds, self.words = [], ""

    def begin_content(self, text: str, at: int) -> None:
        """Take what stands from there on as content."""
        if text.startswith(_MESSAGE, at):
            self.kinds.append("spelled_out")
            at += len(_MESSAGE)
        self.words += text[:at]
        self.finish(text[at:])

    def finish(self, text: str) -> None:
        """Close a message whose content follows its header without `<|message|>`."""
        self.kinds.append("missing_message")
        header = self.settle()
        if header.is_call and self.close != "call" and not isinstance(_json(text), dict):
            # Without its end, or whole arguments, nobody can say that a call was meant.
            self.notes.append(("recipient", header.recipient or ""))
            header = header._replace(recipient=None)
        self.messages.append((header, text))
        self.fields = Fields(header.role, self.fields.known, header.name)


def _mend(
    pieces: Sequence[Piece], role: Role | None, known: frozenset[str], close: Close
) -> Mended:
    reading = _Reading(Fields(role, known), close)
    pieces = list(chain.from_iterable(_unspelled(piece, reading.kinds) for piece in pieces))
    for piece in pieces[:-1]:
        _read(piece, reading, last=False)
    header = None
    if not _read(pieces[-1], reading, last=True):
        if close == "message":
            header = reading.settle()
        elif close == "call" and reading.fields.recipients:
            reading.finish("")
        else:
            reading.note("cut_header" if close == "cut" else "missing_message")
    return Mended(tuple(reading.messages), header, tuple(reading.notes))


def _unspelled(piece: Piece, kinds: list[RepairKind]) -> Iterator[Piece]:
    """Cut a piece where a control token is written in ordinary letters."""
    head, *rest = _SPELLED.split(piece.text)
    yield Piece(piece.mark, head)
    for name, text in zip(rest[::2], rest[1::2], strict=True):
        kinds.append("spelled_out")
        yield Piece(special.CHANNEL if name == "channel" else special.CONSTRAIN, text)


def _read(piece: Piece, reading: _Reading, *, last: bool) -> bool:
    """Take a piece's words into the fields; True if prose began, and became a message."""
    fields, mark = reading.fields, piece.mark
    reading.words += special.NAMES.get(mark or 0, "")
    open_end = last and reading.close != "message"
    first = True
    for word, following in _pairs(words_of(piece.text, fields.known)):
        author = first and fields.wants_author(mark)
        if open_end and not (following and following.addressed):
            # An answer may begin where its author should stand.
            author = False
        if word.field != "unknown" or author:
            fields.take(word, mark, first=first)
        elif open_end or not fields.guess(word, mark, first=first, last=last and following is None):
            if open_end or (following and not last):
                reading.begin_content(piece.text, word.at)
                return True
            fields.unrecognized.append(word.value)
        first = False
    if first and mark == special.CHANNEL:
        reading.kinds.append("channel")
    reading.words += piece.text
    return False


def _pairs(words: Iterable[Word]) -> Iterator[tuple[Word, Word | None]]:
    """Every word with the next one, None after the last."""
    before = None
    for word in words:
        if before:
            yield before, word
        before = word
    if before:
        yield before, None


def _aside(text: str) -> tuple[Header, str]:
    return Header("assistant", channel="analysis"), text


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None

"""The grammar of a header, read to the letter.

    author [to=recipient] [<|channel|>channel [to=recipient]] [content-type]

The recipient stands in either place, once. The content type is a bare word at the end, or
`<|constrain|>` and a word. The author is `role`, `role:name`, or a tool's name, which is known
from its recipient. Source: OpenAI harmony format, "Message format".
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple, cast

from ...errors import HarmonyError
from ..format import CHANNELS, CONSTRAIN_MARK, ROLES, Header, Role, special
from .decoding import token_bytes

LONGEST_KEPT = 64
"""Headers come again and again, and are read once; longer ones, in tokens, are no headers."""

_MARKS = frozenset({special.CHANNEL, special.CONSTRAIN})
_ORDERS = (
    (),
    (special.CHANNEL,),
    (special.CONSTRAIN,),
    (special.CHANNEL, special.CONSTRAIN),
)


class Piece(NamedTuple):
    """A stretch of a header's text, and the control token before it."""

    mark: int | None
    """CHANNEL or CONSTRAIN; None for the author's stretch, which comes first."""
    text: str


def pieces_of(tokens: Sequence[int]) -> list[Piece]:
    """Cut a header's tokens at its control tokens; broken UTF-8 becomes U+FFFD.

    There is always a first piece, which may be empty.
    """
    cuts = [at for at, token in enumerate(tokens) if token in _MARKS]
    ends = [*cuts, len(tokens)]
    pieces = [Piece(None, _text(tokens[: ends[0]]))]
    pieces += (
        Piece(tokens[at], _text(tokens[at + 1 : end]))
        for at, end in zip(cuts, ends[1:], strict=True)
    )
    return pieces


def read_header(tokens: tuple[int, ...], role: Role | None) -> Header:
    """Read a header to the letter.

    tokens: what stands between `<|start|>`, or the end of a prompt, and `<|message|>`.
    role: the author that the prompt has named; None if the tokens name one.

    Raises HarmonyError at the first deviation.
    """
    if len(tokens) > LONGEST_KEPT:
        return _read_header.__wrapped__(tokens, role)
    return _read_header(tokens, role)


@lru_cache(maxsize=1024)
def _read_header(tokens: tuple[int, ...], role: Role | None) -> Header:
    author, *rest = pieces_of(tokens)
    if tuple(piece.mark for piece in rest) not in _ORDERS:
        raise HarmonyError("a header has one <|channel|>, and one <|constrain|> at its end")
    words = author.text.split()
    header = _read_author(words, role)
    recipient, kind = _read_tail(words)
    channel = None
    for piece in rest:
        if words or kind:
            raise HarmonyError(f"unexpected {(kind or words[0])!r} before a control token")
        words = piece.text.split()
        if piece.mark == special.CONSTRAIN:
            kind = CONSTRAIN_MARK + "".join(words[:1])
            words = words[1:]
        else:
            if not words or piece.text[0].isspace() or words[0].startswith("to="):
                raise HarmonyError("<|channel|> names no channel")
            channel = words.pop(0)
            later, kind = _read_tail(words)
            if recipient and later:
                raise HarmonyError(f"two recipients: {recipient!r} and {later!r}")
            recipient = later or recipient
    if words:
        raise HarmonyError(f"unexpected {' '.join(words)!r} at the end of a header")
    return header._replace(channel=channel, recipient=recipient, content_type=kind)


def _text(tokens: Sequence[int]) -> str:
    return token_bytes(tokens).decode(errors="replace")


def _read_author(words: list[str], role: Role | None) -> Header:
    """Take the author off the words."""
    if role is not None:
        if words[:1] == [role]:
            words.pop(0)
        return Header(role)
    if not words:
        raise HarmonyError("a header names no author")
    author = words.pop(0)
    known, colon, name = author.partition(":")
    if known in ROLES - {"tool"} and (name or not colon):
        return Header(cast("Role", known), name or None)
    if not words or not words[0].startswith("to="):
        raise HarmonyError(f"unknown role {author!r}; known: {', '.join(sorted(ROLES))}")
    return Header("tool", author)


def _read_tail(words: list[str]) -> tuple[str | None, str | None]:
    """Take a recipient and a bare content type off the words."""
    recipient = kind = None
    if words and words[0].startswith("to="):
        recipient = words.pop(0).removeprefix("to=")
        if not recipient:
            raise HarmonyError("`to=` names no recipient")
    if words and "=" not in words[0] and words[0] not in {*ROLES, *CHANNELS}:
        kind = words.pop(0)
    return recipient, kind

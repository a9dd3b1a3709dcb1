"""A strict parser for headers that follow the grammar.

    author [to=recipient] [<|channel|>channel [to=recipient]] [content-type]

The recipient appears once, in either place. The content type is a plain word at the end, or
`<|constrain|>` and a word. The author is `role`, `role:name`, or the name of a tool; a tool's
header always has a recipient. Source: OpenAI harmony format, "Message format".
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple, cast

from ...errors import HarmonyError
from ..format import CHANNELS, CONSTRAIN_MARK, ROLES, Header, Role, special
from .decoding import token_bytes

MAX_CACHED_TOKENS = 64
"""Headers repeat, so they are cached. Longer ones are not real headers."""

_MARKERS = frozenset({special.CHANNEL, special.CONSTRAIN})
_ORDERS = (
    (),
    (special.CHANNEL,),
    (special.CONSTRAIN,),
    (special.CHANNEL, special.CONSTRAIN),
)


class Segment(NamedTuple):
    """The text of a header between two control tokens."""

    marker: int | None
    """The control token before it, CHANNEL or CONSTRAIN; None for the first, the author's."""
    text: str


def split_segments(tokens: Sequence[int]) -> list[Segment]:
    """Split the tokens of a header at its control tokens; invalid UTF-8 becomes U+FFFD.

    There is always a first segment. It may be empty.
    """
    cuts = [at for at, token in enumerate(tokens) if token in _MARKERS]
    ends = [*cuts, len(tokens)]
    segments = [Segment(None, _text(tokens[: ends[0]]))]
    segments += (
        Segment(tokens[at], _text(tokens[at + 1 : end]))
        for at, end in zip(cuts, ends[1:], strict=True)
    )
    return segments


def read_header(tokens: tuple[int, ...], role: Role | None) -> Header:
    """Parse a header that follows the grammar exactly.

    tokens: the tokens between `<|start|>`, or the end of the prompt, and `<|message|>`.
    role: the author if the prompt names it; None if the tokens name it.

    Raises HarmonyError at the first deviation.
    """
    if len(tokens) > MAX_CACHED_TOKENS:
        return _read_header.__wrapped__(tokens, role)
    return _read_header(tokens, role)


@lru_cache(maxsize=1024)
def _read_header(tokens: tuple[int, ...], role: Role | None) -> Header:
    author, *rest = split_segments(tokens)
    if tuple(segment.marker for segment in rest) not in _ORDERS:
        raise HarmonyError("a header has one <|channel|>, and one <|constrain|> at its end")
    words = author.text.split()
    header = _read_author(words, role)
    recipient, content_type = _read_tail(words)
    channel = None
    for segment in rest:
        if words or content_type:
            raise HarmonyError(f"unexpected {(content_type or words[0])!r} before a control token")
        words = segment.text.split()
        if segment.marker == special.CONSTRAIN:
            content_type = CONSTRAIN_MARK + "".join(words[:1])
            words = words[1:]
        else:
            if not words or segment.text[0].isspace() or words[0].startswith("to="):
                raise HarmonyError("<|channel|> names no channel")
            channel = words.pop(0)
            later, content_type = _read_tail(words)
            if recipient and later:
                raise HarmonyError(f"two recipients: {recipient!r} and {later!r}")
            recipient = later or recipient
    if words:
        raise HarmonyError(f"unexpected {' '.join(words)!r} at the end of a header")
    return header._replace(channel=channel, recipient=recipient, content_type=content_type)


def _text(tokens: Sequence[int]) -> str:
    return token_bytes(tokens).decode(errors="replace")


def _read_author(words: list[str], role: Role | None) -> Header:
    """Remove the author from the words, and return its header."""
    if role is not None:
        if words[:1] == [role]:
            words.pop(0)
        return Header(role)
    if not words:
        raise HarmonyError("a header names no author")
    author = words.pop(0)
    role_name, colon, name = author.partition(":")
    if role_name in ROLES - {"tool"} and (name or not colon):
        return Header(cast("Role", role_name), name or None)
    if not words or not words[0].startswith("to="):
        raise HarmonyError(f"unknown role {author!r}; known: {', '.join(sorted(ROLES))}")
    return Header("tool", author)


def _read_tail(words: list[str]) -> tuple[str | None, str | None]:
    """Remove the recipient and a plain content type from the words, and return them."""
    recipient = content_type = None
    if words and words[0].startswith("to="):
        recipient = words.pop(0).removeprefix("to=")
        if not recipient:
            raise HarmonyError("`to=` names no recipient")
    if words and "=" not in words[0] and words[0] not in {*ROLES, *CHANNELS}:
        content_type = words.pop(0)
    return recipient, content_type

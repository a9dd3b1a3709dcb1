"""Decoding of streamed content tokens, in whole characters and without header words."""

from __future__ import annotations

from codecs import utf_8_decode
from collections.abc import Sequence
from typing import Any

from ..format import load_vocabulary

# `assistant` and the channel names. If content ends in these words and a control token of a header
# follows, the model forgot to end the message, and the words belong to the header.
_ASSISTANT = (173781,)
_CHANNELS = ((35644,), (17196,), (12606, 815))
_HEADER_WORDS = frozenset(
    words[:size]
    for words in (_ASSISTANT, *_CHANNELS, *(_ASSISTANT + name for name in _CHANNELS))
    for size in range(1, len(words) + 1)
)
_HEADER_TOKENS = frozenset(token for words in _HEADER_WORDS for token in words)
_MAX_WORDS = max(map(len, _HEADER_WORDS))

TOKEN_TEXT: dict[Any, str] = {}
"""The text of each token whose text does not depend on its neighbors; filled as tokens are read.

Each text has two keys, the token and the tuple of this one token, since engines return tuples.
"""


class Decoder:
    """A decoder of content tokens; it buffers tokens that the next tokens may reinterpret."""

    __slots__ = ("_partial", "pending")

    def __init__(self) -> None:
        self.pending: list[int] = []
        """The last tokens, which may be words of a header."""
        self._partial = b""

    @property
    def is_idle(self) -> bool:
        """Whether the buffer is empty; then a token may be looked up in TOKEN_TEXT."""
        return not self.pending and not self._partial

    def read(self, tokens: Sequence[int]) -> str:
        """Return the text that no later token can change."""
        idle = self.is_idle
        if self.pending:
            tokens = [*self.pending, *tokens]
        size = len(tokens) - _header_size(tokens)
        self.pending = [*tokens[size:]]
        text = self._decode(tokens if size == len(tokens) else tokens[:size])
        if idle and self.is_idle and len(tokens) == 1 and "\ufffd" not in text:
            TOKEN_TEXT[tokens[0]] = TOKEN_TEXT[(tokens[0],)] = text
        return text

    def flush(self) -> str:
        """Return the text of the buffer; an incomplete character becomes U+FFFD."""
        pending, self.pending = self.pending, []
        return self._decode(pending, final=True) if pending or self._partial else ""

    def _decode(self, tokens: Sequence[int], *, final: bool = False) -> str:
        data = self._partial + token_bytes(tokens)
        text, size = utf_8_decode(data, "replace", final)
        self._partial = data[size:]
        return text


def token_bytes(tokens: Sequence[int]) -> bytes:
    """Return the bytes of tokens; an id outside the vocabulary becomes U+FFFD."""
    try:
        return load_vocabulary().encoding.decode_bytes(tokens)
    except (KeyError, OverflowError):
        bytes_of = load_vocabulary().bytes_of
        size = len(bytes_of)
        return b"".join(
            bytes_of[token] if 0 <= token < size else b"\xef\xbf\xbd" for token in tokens
        )


def _header_size(tokens: Sequence[int]) -> int:
    """Return how many of the last tokens may be words of a header."""
    if not tokens or tokens[-1] not in _HEADER_TOKENS:
        return 0
    sizes = range(min(_MAX_WORDS, len(tokens)), 0, -1)
    return next((size for size in sizes if tuple(tokens[-size:]) in _HEADER_WORDS), 0)

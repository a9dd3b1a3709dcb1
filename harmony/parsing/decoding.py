"""Content tokens to text, as they come: whole characters only, and no word of a header."""

from __future__ import annotations

from codecs import utf_8_decode
from collections.abc import Sequence
from typing import Any

from ..format import load_vocabulary

# `assistant`, and the names of the channels. Where content ends in them and a header's control
# token follows, the model forgot to close the message, and they are the header's words.
_ASSISTANT = (173781,)
_CHANNELS = ((35644,), (17196,), (12606, 815))
_HEADS = frozenset(
    words[:size]
    for words in (_ASSISTANT, *_CHANNELS, *(_ASSISTANT + name for name in _CHANNELS))
    for size in range(1, len(words) + 1)
)
_HEAD_TOKENS = frozenset(token for words in _HEADS for token in words)
_LONGEST = max(map(len, _HEADS))

PLAIN: dict[Any, str] = {}
"""The text of each token that always means the same text; filled as tokens are read.

Each has two keys, the token and the tuple of it alone: engines hand out tuples.
"""


class Decoder:
    """Turns content tokens into text; keeps back what the next tokens may change."""

    __slots__ = ("_rest", "held")

    def __init__(self) -> None:
        self.held: list[int] = []
        """Tokens at the end that may be the words of a header."""
        self._rest = b""

    @property
    def is_idle(self) -> bool:
        """Whether nothing is kept back: then a token of PLAIN may be read from there."""
        return not self.held and not self._rest

    def read(self, tokens: Sequence[int]) -> str:
        """The text that is certain, now that these tokens have come."""
        idle = self.is_idle
        if self.held:
            tokens = [*self.held, *tokens]
        keep = len(tokens) - _head_size(tokens)
        self.held = [*tokens[keep:]]
        text = self._decode(tokens if keep == len(tokens) else tokens[:keep])
        if idle and self.is_idle and len(tokens) == 1 and "\ufffd" not in text:
            PLAIN[tokens[0]] = PLAIN[(tokens[0],)] = text
        return text

    def flush(self) -> str:
        """The text of all that was kept back; a broken character is U+FFFD."""
        held, self.held = self.held, []
        return self._decode(held, final=True) if held or self._rest else ""

    def _decode(self, tokens: Sequence[int], *, final: bool = False) -> str:
        data = self._rest + token_bytes(tokens)
        text, read = utf_8_decode(data, "replace", final)
        self._rest = data[read:]
        return text


def token_bytes(tokens: Sequence[int]) -> bytes:
    """The bytes of tokens; those of U+FFFD for an id outside the vocabulary."""
    try:
        return load_vocabulary().encoding.decode_bytes(tokens)
    except (KeyError, OverflowError):
        known = load_vocabulary().bytes_of
        return b"".join(known[one] if 0 <= one < len(known) else b"\xef\xbf\xbd" for one in tokens)


def _head_size(tokens: Sequence[int]) -> int:
    """How many tokens at the end may be the words of a header."""
    if not tokens or tokens[-1] not in _HEAD_TOKENS:
        return 0
    sizes = range(min(_LONGEST, len(tokens)), 0, -1)
    return next((size for size in sizes if tuple(tokens[-size:]) in _HEADS), 0)

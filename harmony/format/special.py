"""The special tokens of the o200k_harmony vocabulary.

Source: OpenAI harmony format, "Special Tokens"; ids as in tiktoken's o200k_harmony.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

STARTOFTEXT: Final = 199998
ENDOFTEXT: Final = 199999
RETURN: Final = 200002
"""Ends the answer. Only sampled: in the history the message ends with END."""
CONSTRAIN: Final = 200003
"""In a header, the content type follows."""
CHANNEL: Final = 200005
"""In a header, the channel follows."""
START: Final = 200006
END: Final = 200007
MESSAGE: Final = 200008
"""Ends the header; the content follows."""
CALL: Final = 200012
"""Ends a tool call."""

FIRST: Final = 199998
"""The first special id; lower ids are ranks of ordinary text."""
SIZE: Final = 201088
"""The size of the model's vocabulary; every id is lower."""

STOP_TOKENS: Final = (RETURN, CALL)
"""The tokens at which sampling stops."""

_NAMED = {
    STARTOFTEXT: "startoftext",
    ENDOFTEXT: "endoftext",
    RETURN: "return",
    CONSTRAIN: "constrain",
    CHANNEL: "channel",
    START: "start",
    END: "end",
    MESSAGE: "message",
    CALL: "call",
}


def name(token: int) -> str:
    """Return the text of a special token, such as `<|start|>`.

    token: an id in [FIRST, SIZE]. An id that harmony does not use is `<|reserved_N|>`.
    """
    return f"<|{_NAMED.get(token) or f'reserved_{token}'}|>"


# openai-harmony has one reserved token more than the model has ids.
NAMES: Final = {token: name(token) for token in range(FIRST, SIZE + 1)}
"""The text of each special token, by id."""


def special_indices(tokens: Sequence[int]) -> list[int]:
    """Return the indices of the special tokens."""
    indices: list[int] = []
    # Special tokens are rare, and `max` skips a block without them quickly.
    for base in range(0, len(tokens), 256):
        block = tokens[base : base + 256]
        if max(block) >= FIRST:
            indices += (base + at for at, token in enumerate(block) if token >= FIRST)
    return indices

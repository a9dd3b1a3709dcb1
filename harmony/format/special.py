"""The special tokens of the o200k_harmony vocabulary, by name.

Source: OpenAI harmony format, "Special Tokens"; ids as in tiktoken's o200k_harmony.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

STARTOFTEXT: Final = 199998
ENDOFTEXT: Final = 199999
RETURN: Final = 200002
"""The assistant is done. Only ever sampled: in history the message ends in END."""
CONSTRAIN: Final = 200003
"""What follows in a header is the content type."""
CHANNEL: Final = 200005
"""What follows in a header is the channel."""
START: Final = 200006
END: Final = 200007
MESSAGE: Final = 200008
"""The header is over; content follows."""
CALL: Final = 200012
"""The assistant waits for a tool."""

FIRST: Final = 199998
"""Ids from here on are special; below are the ranks of ordinary text."""
SIZE: Final = 201088
"""How many ids the model has; every id that it samples or takes is below."""

STOP_TOKENS: Final = (RETURN, CALL)
"""Where sampling stops."""

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
    """How a special token is written, `<|start|>` say.

    token: an id in [FIRST, SIZE]. Ids that harmony does not use are `<|reserved_N|>`.
    """
    return f"<|{_NAMED.get(token) or f'reserved_{token}'}|>"


# openai-harmony knows one reserved token more than the model has ids.
NAMES: Final = {token: name(token) for token in range(FIRST, SIZE + 1)}
"""Every special token's id, and how it is written."""


def places(tokens: Sequence[int]) -> list[int]:
    """Indices of the special tokens. They are rare: most stretches are passed over at once."""
    found: list[int] = []
    for base in range(0, len(tokens), 256):
        part = tokens[base : base + 256]
        if max(part) >= FIRST:
            found += (base + at for at, token in enumerate(part) if token >= FIRST)
    return found

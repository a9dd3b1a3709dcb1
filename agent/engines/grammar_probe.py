"""A grammar that admits one short nonsense alone, to see whether an engine obeys grammars.

Some servers ignore a grammar in silence, some refuse it; what they then sample is parsed leniently.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from http import HTTPStatus

from ...errors import EngineError
from ...harmony import STOP_TOKENS, decode
from ...harmony.constrain import CANARY_SONG, canary_grammar
from ...harmony.format import special
from ...harmony.rendering import opening
from .protocol import Sampled, Sampling

CANARY = Sampling(temperature=0.0, max_tokens=8, grammar=canary_grammar())
_ENDINGS = frozenset({*STOP_TOKENS, special.ENDOFTEXT})


async def sing(turn: Callable[[Sequence[int], Sampling], AsyncGenerator[Sampled]]) -> str:
    """What an engine samples under the canary's grammar, or why it refused to."""
    tokens: list[int] = []
    try:
        async with aclosing(turn(opening("assistant"), CANARY)) as pieces:
            async for piece in pieces:
                tokens += piece.tokens
    except EngineError as error:
        if error.status != HTTPStatus.BAD_REQUEST:
            raise
        return str(error)
    return decode([token for token in tokens if token not in _ENDINGS])


def is_right(song: str) -> bool:
    """Whether an engine that sang so obeys grammars."""
    return song == CANARY_SONG

"""A grammar that admits one short nonsense alone, to see whether an engine obeys grammars.

Some servers ignore a grammar in silence, some refuse it; what they then sample is parsed leniently.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from http import HTTPStatus

from ...errors import EngineError
from ...harmony import STOP_TOKENS, decode
from ...harmony.constrain import PROBE_TEXT, probe_grammar_tag
from ...harmony.format import special
from ...harmony.rendering import generation_prefix
from .protocol import Sampled, Sampling

CANARY = Sampling(temperature=0.0, max_tokens=8, grammar=probe_grammar_tag())
_ENDINGS = frozenset({*STOP_TOKENS, special.ENDOFTEXT})


async def probe_grammar(turn: Callable[[Sequence[int], Sampling], AsyncGenerator[Sampled]]) -> str:
    """What an engine samples under the canary's grammar, or why it refused to."""
    tokens: list[int] = []
    try:
        async with aclosing(turn(generation_prefix("assistant"), CANARY)) as pieces:
            async for piece in pieces:
                tokens += piece.tokens
    except EngineError as error:
        if error.status != HTTPStatus.BAD_REQUEST:
            raise
        return str(error)
    return decode([token for token in tokens if token not in _ENDINGS])


def is_right(song: str) -> bool:
    """Whether an engine that sang so obeys grammars."""
    return song == PROBE_TEXT

"""A test of whether an engine obeys grammars: one grammar that admits exactly one short text."""

from __future__ import annotations

from contextlib import aclosing
from http import HTTPStatus

from ...errors import EngineError
from ...harmony import STOP_TOKENS, decode, special
from ...harmony.constrain import probe_turn_grammar
from ...harmony.rendering import generation_prefix
from .protocol import Engine, Sampling, TurnRequest

_END_TOKENS = frozenset({*STOP_TOKENS, special.ENDOFTEXT})


async def probe_grammar(engine: Engine) -> str:
    """Return the text that the engine samples under the probe grammar.

    The engine obeys grammars if this is PROBE_TEXT. If the engine refuses grammars (HTTP 400), the
    text is the reason. Raises EngineError for any other failure.
    """
    request = TurnRequest(
        prompt=generation_prefix("assistant"),
        sampling=Sampling(temperature=0.0, max_tokens=8),
        grammar=probe_turn_grammar(),
    )
    tokens: list[int] = []
    try:
        async with aclosing(engine.generate(request)) as pieces:
            async for piece in pieces:
                tokens += piece.tokens
    except EngineError as error:
        if error.status != HTTPStatus.BAD_REQUEST:
            raise
        return str(error)
    return decode([token for token in tokens if token not in _END_TOKENS])

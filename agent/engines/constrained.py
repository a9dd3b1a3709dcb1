"""A wrapper that holds any engine's turns to their grammar or to their reasoning budget."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

from ...harmony.constrain import PROBE_TEXT
from ...sandbox import get_logger
from .grammar_probe import probe_grammar
from .protocol import Engine, Sampled, TurnRequest
from .reasoning_budget import enforce_reasoning_budget

log = get_logger("ossia.agent.engines")


class ConstrainedEngine:
    """An engine whose turns match their grammar if it supports grammars, else keep their budget.

    engine: any engine that forwards `TurnRequest.grammar` to whatever samples.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._obeys_grammars: bool | None = None

    async def generate(self, request: TurnRequest) -> AsyncGenerator[Sampled]:
        """Sample one turn; see `Engine.generate`."""
        if request.grammar is not None and not await self.obeys_grammars():
            request = replace(request, grammar=None)
        if request.grammar is None and request.reasoning_budget is not None:
            turn = enforce_reasoning_budget(self._engine, request)
        else:
            turn = self._engine.generate(request)
        async with aclosing(turn) as pieces:
            async for piece in pieces:
                yield piece

    async def obeys_grammars(self) -> bool:
        """Return whether the engine holds a turn to its grammar.

        Some servers silently ignore grammars, others refuse them. So this is tried once, with a
        grammar that admits exactly one short text.
        """
        if self._obeys_grammars is None:
            text = await probe_grammar(self._engine)
            self._obeys_grammars = text == PROBE_TEXT
            if not self._obeys_grammars:
                log.warning("grammar_ignored", engine=repr(self._engine))
        return self._obeys_grammars

"""What every engine of vLLM's does around a turn: hold it to its grammar, or to its budget."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Generic

import structlog

from ..shared_resource import T, UsesSharedResource
from .grammar_probe import is_right, probe_grammar
from .protocol import Sampled, Sampling
from .reasoning_budget import enforce_reasoning_budget

log = structlog.get_logger()


class ConstrainedEngine(UsesSharedResource[T], ABC, Generic[T]):
    """An engine whose turns are held to their grammar where it obeys that, else to their budget.

    As an async context manager it keeps what it shares between runs.
    """

    _obeys: bool | None = None

    async def generate(self, prompt: Sequence[int], sampling: Sampling) -> AsyncGenerator[Sampled]:
        """Sample one turn after `prompt`; see `Engine.generate`.

        Raises EngineError, or one of its kinds, with the server's or vLLM's own words.
        """
        if sampling.grammar is not None and not await self.obeys_grammars():
            sampling = replace(sampling, grammar=None)
        reins = sampling.grammar is None and sampling.reasoning_budget is not None
        turn = (
            enforce_reasoning_budget(self._turn, prompt, sampling)
            if reins
            else self._turn(prompt, sampling)
        )
        async with aclosing(turn) as pieces:
            async for piece in pieces:
                yield piece

    async def obeys_grammars(self) -> bool:
        """Whether it holds a turn to its grammar: some servers ignore it in silence, some refuse.

        Tried once, with a grammar that admits one short nonsense alone.
        """
        if self._obeys is None:
            song = await probe_grammar(self._turn)
            self._obeys = is_right(song)
            if not self._obeys:
                log.warning("grammar_not_obeyed", engine=repr(self), answer=song[:200])
        return self._obeys

    @abstractmethod
    def _turn(self, prompt: Sequence[int], sampling: Sampling) -> AsyncGenerator[Sampled]:
        """Sample one turn, as vLLM would of itself."""

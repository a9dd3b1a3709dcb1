"""A switch that keeps tests away from real models."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from ..engines.vllm import LocalVLLM, VLLMEngine
from ..run import FORBIDDEN_ENGINES


@contextmanager
def forbid_real_engines() -> Generator[None]:
    """Make every agent raise EngineError that would use a real model inside the block.

    As a fixture for all tests, in conftest.py:

        @pytest.fixture(autouse=True)
        def no_real_engine() -> Iterator[None]:
            with forbid_real_engines():
                yield
    """
    kinds = (VLLMEngine, LocalVLLM)
    FORBIDDEN_ENGINES.extend(kinds)
    try:
        yield
    finally:
        del FORBIDDEN_ENGINES[-len(kinds) :]

"""Switches for a test session: no real models, and no bug of a tool that stays hidden."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from ..engines.vllm import LocalVLLM, VLLMEngine
from ..switches import SWITCHES


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
    SWITCHES.forbidden_engines.extend(kinds)
    try:
        yield
    finally:
        del SWITCHES.forbidden_engines[-len(kinds) :]


@contextmanager
def raise_tool_errors() -> Generator[None]:
    """Make every run inside the block raise what a tool raises unexpectedly.

    It is as if all agents had `on_tool_error="raise"`. As a fixture for all tests, in conftest.py:

        @pytest.fixture(autouse=True)
        def tool_errors() -> Iterator[None]:
            with raise_tool_errors():
                yield
    """
    SWITCHES.raise_tool_errors += 1
    try:
        yield
    finally:
        SWITCHES.raise_tool_errors -= 1

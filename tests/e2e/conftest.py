"""Servers for the end-to-end tests."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from ossia.agent import Server


@pytest.fixture(scope="session")
async def random_server() -> AsyncGenerator[Server]:
    """Serve a model with random weights for the whole test session."""
    from ossia.agent import open_server
    from tests.e2e.random_gpt_oss import checkpoint

    async with open_server(checkpoint()) as server:
        yield server

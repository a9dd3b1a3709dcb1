"""The servers of the end-to-end tests."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from ossia.agent import Server


@pytest.fixture(scope="session")
async def random_server() -> AsyncGenerator[Server]:
    """A vLLM server of a model with random weights; one serves the whole session."""
    from ossia.agent import open_server
    from tests.e2e.random_gpt_oss import checkpoint

    async with open_server(checkpoint()) as server:
        yield server

"""Sandboxes for the tests: each test that asks for `sandbox` runs once against every kind."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Callable

import pytest

from ossia.errors import SandboxImageError, SandboxUnavailableError
from ossia.sandbox import BubblewrapSandbox, DockerSandbox, UnsafeLocalSandbox, build_image

Kind = Callable[..., DockerSandbox | BubblewrapSandbox | UnsafeLocalSandbox]

CONTAINED = [
    pytest.param(DockerSandbox, id="docker", marks=pytest.mark.docker),
    pytest.param(BubblewrapSandbox, id="bubblewrap", marks=pytest.mark.bubblewrap),
]


@pytest.fixture(scope="session")
async def image() -> str:
    """The sandbox image; made here if it is missing, so that the first run takes a minute more."""
    try:
        return await build_image()
    except (SandboxUnavailableError, SandboxImageError) as error:
        pytest.skip(f"no Docker sandbox: {error}")


@pytest.fixture
def ready(request: pytest.FixtureRequest) -> None:
    """Skip, with the reason and the way out, where this machine lacks what a marked test needs."""
    if request.node.get_closest_marker("docker"):
        request.getfixturevalue("image")
    if request.node.get_closest_marker("bubblewrap") and shutil.which("bwrap") is None:
        pytest.skip("no bubblewrap: `apt-get install bubblewrap`")


@pytest.fixture(params=CONTAINED)
async def kind(request: pytest.FixtureRequest, ready: None) -> Kind:
    """A class of sandboxes."""
    kind: Kind = request.param
    return kind


@pytest.fixture
async def sandbox(
    kind: Kind,
) -> AsyncIterator[DockerSandbox | BubblewrapSandbox | UnsafeLocalSandbox]:
    """An open sandbox."""
    async with kind() as sandbox:
        yield sandbox

"""Sandboxes for the tests: what asks for `sandbox` or `shared` runs once against every kind."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from ossia.sandbox import BubblewrapSandbox, DockerSandbox, build_image

Contained = DockerSandbox | BubblewrapSandbox
Kind = type[DockerSandbox] | type[BubblewrapSandbox]

KINDS = [
    pytest.param(DockerSandbox, id="docker", marks=pytest.mark.docker),
    pytest.param(BubblewrapSandbox, id="bubblewrap", marks=pytest.mark.bubblewrap),
]


@pytest.fixture(scope="session")
async def image() -> str:
    """The sandbox image; made here if it is missing, so that the first run takes a minute more."""
    return await build_image()


@pytest.fixture(params=KINDS, scope="session")
def kind(request: pytest.FixtureRequest) -> Kind:
    """A class of sandboxes."""
    if request.param is DockerSandbox:
        request.getfixturevalue("image")
    kind: Kind = request.param
    return kind


@pytest.fixture
async def sandbox(kind: Kind) -> AsyncIterator[Contained]:
    """A sandbox of the test's own."""
    async with kind() as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
async def shared(kind: Kind) -> AsyncIterator[Contained]:
    """A sandbox that many tests use, one after the other: it must survive whatever they do."""
    async with kind(memory_mib=1024, pids=64, data_mib=64, output_kib=16, grace_s=2) as sandbox:
        yield sandbox

"""Fixtures: a test that uses `sandbox` or `shared` runs once for each kind of sandbox."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from ossia.sandbox import BubblewrapSandbox, DockerSandbox, build_image

AnySandbox = DockerSandbox | BubblewrapSandbox
Kind = type[DockerSandbox] | type[BubblewrapSandbox]

KINDS = [
    pytest.param(DockerSandbox, id="docker", marks=pytest.mark.docker),
    pytest.param(BubblewrapSandbox, id="bubblewrap", marks=pytest.mark.bubblewrap),
]


@pytest.fixture(scope="session")
async def image() -> str:
    """Return the sandbox image; if it is missing, build it, which takes a minute."""
    return await build_image()


@pytest.fixture(params=KINDS, scope="session")
def kind(request: pytest.FixtureRequest) -> Kind:
    """Return a class of sandboxes."""
    if request.param is DockerSandbox:
        request.getfixturevalue("image")
    kind: Kind = request.param
    return kind


@pytest.fixture
async def sandbox(kind: Kind) -> AsyncIterator[AnySandbox]:
    """Yield a sandbox that only this test uses."""
    async with kind() as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
async def shared(kind: Kind) -> AsyncIterator[AnySandbox]:
    """Yield a sandbox that many tests share: it must survive whatever they do."""
    async with kind(memory_mib=1024, pids=64, data_mib=64, output_kib=16, grace_s=2) as sandbox:
        yield sandbox

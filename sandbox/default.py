"""The sandbox that this machine offers."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Literal, TypedDict, Unpack

from ..errors import SandboxError, SandboxUnavailableError
from .backends import BubblewrapSandbox, DockerSandbox
from .protocol import Sandbox


class SandboxOptions(TypedDict, total=False):
    """What every sandbox can be told; see the fields of `DockerSandbox`."""

    memory_mib: int
    cpus: float
    pids: int
    data_mib: int
    tmp_mib: int
    open_files: int
    output_kib: int
    grace_s: float
    network: Literal["none", "egress"]
    allow_hosts: tuple[str, ...]


@asynccontextmanager
async def open_sandbox(**options: Unpack[SandboxOptions]) -> AsyncGenerator[Sandbox]:
    """Open a sandbox: Docker's where a daemon answers, else bubblewrap's. Nothing runs without one.

    Raises SandboxUnavailableError, with the ways to get one, where the machine offers neither;
    SandboxImageError where Docker is there and its image is not.
    """
    async with AsyncExitStack() as stack:
        try:
            sandbox: Sandbox = await stack.enter_async_context(DockerSandbox(**options))
        except SandboxUnavailableError as no_docker:
            try:
                sandbox = await stack.enter_async_context(BubblewrapSandbox(**options))
            except SandboxError as no_bubblewrap:
                raise SandboxUnavailableError(
                    "no sandbox can be opened here: start a Docker daemon, or install bubblewrap "
                    "where namespaces of one's own are allowed.\n"
                    f"  Docker: {no_docker}\n  bubblewrap: {no_bubblewrap}"
                ) from no_bubblewrap
        yield sandbox

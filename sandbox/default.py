"""The default sandbox of this machine."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Literal, TypedDict, Unpack

from ..errors import SandboxError, SandboxUnavailableError
from .backends import BubblewrapSandbox, DockerSandbox
from .protocol import Sandbox


class SandboxOptions(TypedDict, total=False):
    """Options that every isolated sandbox accepts; see the fields of `DockerSandbox`."""

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
    """Open a Docker sandbox, or a bubblewrap sandbox if no Docker daemon answers.

    Code never runs without a sandbox.

    Raises SandboxUnavailableError if neither is available; the message says how to get one.
    Raises SandboxImageError if Docker is available but the sandbox image is missing.
    """
    async with AsyncExitStack() as stack:
        try:
            sandbox: Sandbox = await stack.enter_async_context(DockerSandbox(**options))
        except SandboxUnavailableError as docker_error:
            try:
                sandbox = await stack.enter_async_context(BubblewrapSandbox(**options))
            except SandboxError as bubblewrap_error:
                raise SandboxUnavailableError(
                    "no sandbox is available: start a Docker daemon, or install bubblewrap "
                    "on a system that allows user namespaces.\n"
                    f"  Docker: {docker_error}\n  bubblewrap: {bubblewrap_error}"
                ) from bubblewrap_error
        yield sandbox

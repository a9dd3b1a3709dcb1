"""What sandboxes leave behind: containers, folders, processes."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
import docker

from ossia.sandbox.cleanup.ownership import OWNER, Owner

_SUBREAPER = 36


@contextmanager
def orphans_come_here() -> Generator[None]:
    """Make orphans below this process its children, so that none of ours gets out of sight."""
    libc = ctypes.CDLL(None)
    libc.prctl(_SUBREAPER, 1, 0, 0, 0)
    yield
    libc.prctl(_SUBREAPER, 0, 0, 0, 0)


class Left:
    """What the sandboxes of this process, and of those it starts, leave from now on.

    Other programs of this machine may have sandboxes too: what they own is not looked at.
    """

    def __init__(self) -> None:
        self._owners = [owner_of(os.getpid())]
        self._before = self._all()

    def watch(self, pid: int) -> Owner:
        """Look at what a process owns, too; to be called while it lives."""
        self._owners.append(owner_of(pid))
        return self._owners[-1]

    def __call__(self) -> set[str]:
        """Return the names of containers, folders and processes that were not there before."""
        return self._all() - self._before

    def _all(self) -> set[str]:
        found = {str(path) for owner in self._owners for path in owner.folders}
        found |= {f"process {pid}" for pid in kernels()}
        client = docker.from_env()
        try:
            for owner in self._owners:
                owned: dict[str, Any] = {"label": f"{OWNER}={owner.label}"}
                listed: Any = client.containers.list(all=True, filters=owned, ignore_removed=True)
                found |= {str(container.name) for container in listed}
        finally:
            client.close()
        return found

    async def nothing(self, meanwhile: Callable[[], Awaitable[object]] | None = None) -> None:
        """Wait until nothing is left; a container that ends takes a moment."""
        await until(lambda: not self(), meanwhile)


def owner_of(pid: int) -> Owner:
    owner = Owner.of(pid)
    assert owner is not None
    return owner


def kernels() -> set[int]:
    """The kernels among the living processes below this one, and what is to contain them."""
    parents: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = path.read_text("utf-8", "replace").rpartition(")")[2].split()
            if fields[0] != "Z":
                parents[int(path.parent.name)] = int(fields[1])
    below = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in below} - below:
        below |= more
    return {pid for pid in below if b"ossia_kernel" in _command(pid)}


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


async def until(
    condition: Callable[[], bool], meanwhile: Callable[[], Awaitable[object]] | None = None
) -> None:
    """Wait for what other processes do, of which no event tells us.

    meanwhile: done as long as the condition does not hold.
    """
    with anyio.fail_after(40):
        while not condition():
            if meanwhile is not None:
                await meanwhile()
            await anyio.sleep(0.1)

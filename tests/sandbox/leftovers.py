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

from ossia.sandbox.cleanup.ownership import OWNER_LABEL, Owner

_PR_SET_CHILD_SUBREAPER = 36


@contextmanager
def adopt_orphans() -> Generator[None]:
    """Make orphaned descendants children of this process, so that they can be found."""
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    yield
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


class Leftovers:
    """What the sandboxes of this process and of watched processes leave behind from now on.

    Sandboxes of other programs on this machine are ignored.
    """

    def __init__(self) -> None:
        self._owners = [owner_of(os.getpid())]
        self._before = self._find_all()

    def watch(self, pid: int) -> Owner:
        """Include what a living process owns; return it as an owner."""
        self._owners.append(owner_of(pid))
        return self._owners[-1]

    def find(self) -> set[str]:
        """Return the names of new containers, folders and processes."""
        return self._find_all() - self._before

    async def wait_until_none(
        self, meanwhile: Callable[[], Awaitable[object]] | None = None
    ) -> None:
        """Wait until nothing is left; a container takes a moment to end."""
        await wait_until(lambda: not self.find(), meanwhile)

    def _find_all(self) -> set[str]:
        names = {str(path) for owner in self._owners for path in owner.folders}
        names |= {f"process {pid}" for pid in kernel_pids()}
        client = docker.from_env()
        try:
            for owner in self._owners:
                filters: dict[str, Any] = {"label": f"{OWNER_LABEL}={owner.label}"}
                containers: Any = client.containers.list(
                    all=True, filters=filters, ignore_removed=True
                )
                names |= {str(container.name) for container in containers}
        finally:
            client.close()
        return names


def owner_of(pid: int) -> Owner:
    owner = Owner.of(pid)
    assert owner is not None
    return owner


def kernel_pids() -> set[int]:
    """Return the living descendants of this process that are kernels, or wrap one."""
    parents: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = path.read_text("utf-8", "replace").rpartition(")")[2].split()
            if fields[0] != "Z":
                parents[int(path.parent.name)] = int(fields[1])
    descendants = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in descendants} - descendants:
        descendants |= more
    return {pid for pid in descendants if b"ossia_kernel" in _command(pid)}


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


async def wait_until(
    condition: Callable[[], bool], meanwhile: Callable[[], Awaitable[object]] | None = None
) -> None:
    """Wait for something that other processes do without an event.

    meanwhile: called repeatedly until the condition is true.
    """
    with anyio.fail_after(40):
        while not condition():
            if meanwhile is not None:
                await meanwhile()
            await anyio.sleep(0.1)

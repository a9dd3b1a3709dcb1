"""Nothing is left: not by closed sandboxes, not by cancelled ones, not by killed owners."""

from __future__ import annotations

import os
import random
import signal
import sys
import tempfile
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import docker
import pytest
from anyio.abc import Process

from ossia.sandbox import UnsafeLocalSandbox, prune
from ossia.sandbox.owner import EXPIRES, LABEL, OWNER, is_abandoned, labels

from .conftest import Kind

OWNER_PROGRAM = """
import sys, anyio, ossia.sandbox
async def main():
    kind = getattr(ossia.sandbox, sys.argv[1])
    options = {} if sys.argv[1] == "UnsafeLocalSandbox" else {"network": "egress"}
    sandbox = await kind(**options).__aenter__()
    await sandbox.execute("print('running')", on_output=lambda *_: print("up", flush=True))
    await sandbox.execute("import time\\nwhile True: time.sleep(1)")
anyio.run(main)
"""


def left_behind() -> dict[str, list[str]]:
    """What sandboxes could leave on this machine: containers, folders, processes, threads."""
    client = docker.from_env()
    try:
        containers = [
            str(c.name) for c in client.containers.list(all=True, filters={"label": LABEL})
        ]
    finally:
        client.close()
    folders = sorted(path.name for path in Path(tempfile.gettempdir()).glob("ossia-*"))
    kernels = [
        path.parent.name
        for path in Path("/proc").glob("[0-9]*/cmdline")
        if b"ossia_kernel" in _read(path)
    ]
    return {"containers": containers, "folders": folders, "kernels": kernels}


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


@asynccontextmanager
async def owner_of(kind: str) -> AsyncGenerator[Process]:
    """A program that holds a sandbox in which a cell runs; the block must end it."""
    command = [sys.executable, "-c", OWNER_PROGRAM, kind]
    async with await anyio.open_process(command, stderr=None) as owner:
        assert owner.stdout is not None
        with anyio.fail_after(40):
            await owner.stdout.receive()
        yield owner


async def settled(before: dict[str, list[str]]) -> None:
    """Wait until nothing is left that was not there before."""
    await until(lambda: all(set(left_behind()[kind]) <= set(before[kind]) for kind in before))


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what other processes do, of which no event tells us."""
    with anyio.fail_after(40):
        while not condition():  # noqa: ASYNC110 - see above
            await anyio.sleep(0.1)


@pytest.mark.docker
async def test_a_killed_owner_leaves_nothing_once_the_reaper_ran(kind: Kind) -> None:
    before = left_behind()
    async with owner_of(kind.__name__) as owner:
        owner.kill()
    await prune()
    await settled(before)


@pytest.mark.docker
async def test_what_the_living_own_is_not_pruned(kind: Kind) -> None:
    async with kind(network="egress") as sandbox:
        await sandbox.execute("x = 1")
        await prune()
        assert (await sandbox.execute("x")).result == "1"


def test_labels_tell_the_living_from_the_dead() -> None:
    mine = labels()
    assert not is_abandoned(mine)
    machine, _, process = mine[OWNER].rpartition("/")
    pid, _, start = process.partition("@")
    assert is_abandoned({**mine, OWNER: f"{machine}/{pid}@{int(start) + 1}"})
    assert is_abandoned({**mine, OWNER: f"{machine}/4194305@1"})
    assert is_abandoned({**mine, EXPIRES: "1"})
    assert is_abandoned({})
    # Another machine's processes cannot be looked at from here; their day is waited for.
    assert not is_abandoned({**mine, OWNER: "elsewhere/1@1"})
    assert pid == str(os.getpid())


@pytest.mark.docker
@pytest.mark.slow
@pytest.mark.timeout(420)
async def test_200_sessions_cancelled_at_random_leave_nothing(kind: Kind) -> None:
    before, threads = left_behind(), threading.active_count()
    chance = random.Random(20_260_101)
    sessions, at_once = 100, anyio.Semaphore(6)
    ended: list[bool] = []

    async def session(patience_s: float) -> None:
        async with at_once:
            with anyio.move_on_after(patience_s) as scope:
                async with kind() as sandbox:
                    await sandbox.put("data", bytes(100_000))
                    await sandbox.execute("import time; print('x' * 100_000)")
                    await sandbox.execute("time.sleep(0.2)")
            ended.append(scope.cancelled_caught)

    async with anyio.create_task_group() as group:
        for _ in range(sessions):
            group.start_soon(session, chance.choice([0.01, 0.1, 0.3, 0.6, 1.0, 30.0]))
    assert len(ended) == sessions
    assert True in ended
    assert False in ended
    await prune()
    await settled(before)
    # Idle worker threads of the event loop are shared, and few.
    assert threading.active_count() <= threads + 8


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM])
async def test_a_local_kernel_ends_with_its_owner(ending: signal.Signals) -> None:
    before = left_behind()["kernels"]
    async with owner_of("UnsafeLocalSandbox") as owner:
        assert set(left_behind()["kernels"]) - set(before)
        owner.send_signal(ending)
    await until(lambda: set(left_behind()["kernels"]) <= set(before))
    removed = await prune()
    assert [path for path in removed if f"-{owner.pid}@" in path]


async def test_a_local_sandbox_leaves_no_folder() -> None:
    async with UnsafeLocalSandbox() as sandbox:
        await sandbox.put("file", b"x")
        folder = sandbox.folder
        assert folder is not None
        assert (folder / "file").read_bytes() == b"x"
    assert not folder.exists()

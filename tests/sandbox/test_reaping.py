"""Nothing is left: not by closed sandboxes, not by cancelled ones, not by killed owners."""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
import docker
import pytest
from anyio.abc import Process
from docker.errors import NotFound

from ossia.sandbox import (
    BubblewrapSandbox,
    DockerSandbox,
    UnsafeLocalSandbox,
    build_tree,
    prune,
    prune_images,
)
from ossia.sandbox.cleanup.ownership import (
    EXPIRES,
    LABEL,
    LIFE_S,
    OWNER,
    abandoned_folders,
    is_abandoned,
    labels,
    own_folder,
)
from ossia.sandbox.images import debian

from .conftest import Kind
from .leftovers import Left, orphans_come_here, owner_of

# A program that holds one sandbox, in which a cell runs.
HOLDER = """
import sys, anyio, ossia.sandbox
async def main():
    kind = getattr(ossia.sandbox, sys.argv[1])
    options = {} if sys.argv[1] == "UnsafeLocalSandbox" else {"network": "egress"}
    sandbox = await kind(**options).__aenter__()
    await sandbox.execute("print('running')", on_output=lambda *_: print("up", flush=True))
    await sandbox.execute("import time\\nwhile True: time.sleep(1)")
anyio.run(main)
"""
# A program that opens sessions without end, each given up when its patience ends.
OPENER = """
import random, sys, anyio, ossia.sandbox
async def sessions(kind, chance):
    while True:
        print("begun", flush=True)
        with anyio.move_on_after(chance.choice([0.1, 0.3, 0.6, 1.0, 30.0])):
            async with kind() as sandbox:
                await sandbox.execute("import time; time.sleep(0.2)")
async def main():
    chance = random.Random(sys.argv[2])
    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(sessions, getattr(ossia.sandbox, sys.argv[1]), chance)
anyio.run(main)
"""


@pytest.fixture(autouse=True, scope="module")
def no_orphans_out_of_sight() -> Generator[None]:
    with orphans_come_here():
        yield


@asynccontextmanager
async def running(program: str, *arguments: str) -> AsyncGenerator[Process]:
    """Run a program of ours until the block kills it; it has written its first line."""
    async with await anyio.open_process(
        [sys.executable, "-c", program, *arguments], stderr=None
    ) as process:
        await lines(process, 1)
        yield process


async def lines(process: Process, count: int) -> None:
    """Wait until a program has written so many lines more."""
    assert process.stdout is not None
    with anyio.fail_after(60):
        while count > 0:
            count -= (await process.stdout.receive()).count(b"\n")


@pytest.mark.docker
async def test_a_killed_owner_leaves_nothing_once_the_reaper_ran(kind: Kind) -> None:
    left = Left()
    async with running(HOLDER, kind.__name__) as owner:
        left.watch(owner.pid)
        assert left()
        owner.kill()
    await prune()
    await left.nothing()


@pytest.mark.docker
async def test_what_the_living_own_is_not_pruned(kind: Kind) -> None:
    async with kind(network="egress") as sandbox:
        await sandbox.execute("x = 1")
        await prune()
        assert (await sandbox.execute("x")).result == "1"


@pytest.mark.docker
async def test_what_the_dead_own_is_removed_at_the_next_start(image: str) -> None:
    mine = labels()
    machine, _, _ = mine[OWNER].rpartition("/")
    owners = {
        "dead": {**mine, OWNER: f"{machine}/4194305@1"},
        "expired": {**mine, EXPIRES: "1"},
        "living": mine,
        "elsewhere": {**mine, OWNER: "elsewhere/1@1"},
    }
    client = docker.from_env()
    api: Any = client.api
    made = {
        api.create_container(image, "true", labels=owned)["Id"]: whose
        for whose, owned in owners.items()
    }
    try:
        async with DockerSandbox():
            found = api.containers(all=True, filters={"label": LABEL})
        assert {made[c["Id"]] for c in found if c["Id"] in made} == {"living", "elsewhere"}
    finally:
        for container in made:
            with suppress(NotFound):
                api.remove_container(container, force=True)
        client.close()


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
    assert not is_abandoned({**mine, OWNER: ""})
    assert pid == str(os.getpid())


def test_folders_tell_the_living_from_the_dead(tmp_path: Path) -> None:
    mine = own_folder("test")
    _, kind, machine, process, _ = mine.name.split("-")
    others = {
        whose: mine.with_name(f"ossia-{kind}-{owner}-{whose}")
        for whose, owner in {
            "dead": f"{machine}-4194305@1",
            "elsewhere": f"0123abcd-{process}",
            "expired": f"0123abcd-{process}",
        }.items()
    }
    try:
        for folder in others.values():
            folder.mkdir()
        long_ago = time.time() - LIFE_S - 1
        os.utime(others["expired"], (long_ago, long_ago))
        assert mine in owner_of(os.getpid()).folders
        found = {mine, *others.values()} & set(abandoned_folders(mine.parent))
        assert found == {others["dead"], others["expired"]}
    finally:
        for folder in (mine, *others.values()):
            folder.rmdir()


@pytest.mark.docker
async def test_images_of_other_recipes_are_removed_once_they_are_old(
    image: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    name = f"ossia-test-{os.getpid()}"
    monkeypatch.setattr("ossia.sandbox.images.outdated.image_tag", lambda: f"{name}:current")
    monkeypatch.setattr(debian, "tree_path", lambda: tmp_path / "sandbox-current")
    for tree in ("sandbox-current", "sandbox-old"):
        (tmp_path / tree / "usr").mkdir(parents=True)
    client = docker.from_env()
    api: Any = client.api
    try:
        for version in ("current", "old"):
            api.tag(image, name, version)
        assert await prune_images(older_than_s=10 * LIFE_S) == []
        assert await prune_images(older_than_s=0) == [str(tmp_path / "sandbox-old"), f"{name}:old"]
        assert (tmp_path / "sandbox-current/usr").is_dir()
        assert not (tmp_path / "sandbox-old").exists()
        assert _tags(api, name) == [f"{name}:current"]
    finally:
        for tag in _tags(api, name):
            api.remove_image(tag)
        client.close()


def _tags(api: Any, name: str) -> list[str]:
    return [tag for found in api.images(name=name) for tag in found["RepoTags"] if name in tag]


@pytest.mark.bubblewrap
async def test_a_tree_in_which_a_sandbox_runs_is_not_outdated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    in_use = Path(await build_tree())
    async with BubblewrapSandbox():
        with monkeypatch.context() as patched:
            patched.setattr(debian, "tree_path", lambda: in_use.with_name("sandbox-another"))
            assert in_use not in debian.outdated_trees(time.time())


@pytest.mark.docker
@pytest.mark.slow
@pytest.mark.timeout(420)
async def test_200_sessions_with_cancellations_and_killed_owners_leave_nothing(kind: Kind) -> None:
    left, threads = Left(), threading.active_count()
    chance = random.Random(20_260_101)
    await cancelled_sessions(kind, 120, chance)
    # The other 80 belong to programs that are killed while five of them are under way.
    for begun in (5, 9, 14, 21, 31):
        async with running(OPENER, kind.__name__, str(begun)) as owner:
            left.watch(owner.pid)
            await lines(owner, begun - 1)
            owner.kill()
    await prune()
    # What the daemon is still making for the dead when the reaper looks, it finds the next time.
    await left.nothing(meanwhile=prune)
    # Idle worker threads of the event loop are shared, and few.
    assert threading.active_count() <= threads + 8


async def cancelled_sessions(kind: Kind, count: int, chance: random.Random) -> None:
    """Open sessions, six at a time, and give each up when its patience ends."""
    at_once = anyio.Semaphore(6)
    cancelled: list[bool] = []

    async def session(patience_s: float) -> None:
        async with at_once:
            with anyio.move_on_after(patience_s) as scope:
                async with kind() as sandbox:
                    await sandbox.put("data", bytes(100_000))
                    await sandbox.execute("import time; print('x' * 100_000)")
                    await sandbox.execute("time.sleep(0.2)")
            cancelled.append(scope.cancelled_caught)

    async with anyio.create_task_group() as group:
        for _ in range(count):
            group.start_soon(session, chance.choice([0.01, 0.1, 0.3, 0.6, 1.0, 30.0]))
    assert len(cancelled) == count
    assert {True, False} == set(cancelled)


@pytest.mark.docker
@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM])
async def test_a_local_kernel_ends_with_its_owner(ending: signal.Signals) -> None:
    left = Left()
    async with running(HOLDER, "UnsafeLocalSandbox") as process:
        owner = left.watch(process.pid)
        assert len(left()) == 3, "a folder, a supervisor, a worker"
        process.send_signal(ending)
    assert owner.folders
    await prune()
    await left.nothing()


async def test_a_local_sandbox_leaves_no_folder() -> None:
    async with UnsafeLocalSandbox() as sandbox:
        await sandbox.put("file", b"x")
        folder = sandbox.folder
        assert folder is not None
        assert (folder / "file").read_bytes() == b"x"
    assert not folder.exists()

"""Cleanup: closed and cancelled sandboxes and killed owners leave nothing behind."""

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
    EXPIRES_LABEL,
    MAX_AGE_S,
    OWNER_LABEL,
    SANDBOX_LABEL,
    abandoned_folders,
    create_owned_folder,
    is_abandoned,
    owner_labels,
)
from ossia.sandbox.images import debian

from .conftest import Kind
from .leftovers import Leftovers, adopt_orphans, owner_of

# A program with one sandbox in which a cell runs.
ONE_SANDBOX = """
import sys, anyio, ossia.sandbox
async def main():
    kind = getattr(ossia.sandbox, sys.argv[1])
    options = {} if sys.argv[1] == "UnsafeLocalSandbox" else {"network": "egress"}
    sandbox = await kind(**options).__aenter__()
    await sandbox.execute("print('running')", on_output=lambda *_: print("up", flush=True))
    await sandbox.execute("import time\\nwhile True: time.sleep(1)")
anyio.run(main)
"""
# A program that opens sandboxes endlessly, and cancels each after a random time.
MANY_SANDBOXES = """
import random, sys, anyio, ossia.sandbox
async def open_sandboxes(kind, chance):
    while True:
        print("started", flush=True)
        with anyio.move_on_after(chance.choice([0.1, 0.3, 0.6, 1.0, 30.0])):
            async with kind() as sandbox:
                await sandbox.execute("import time; time.sleep(0.2)")
async def main():
    chance = random.Random(sys.argv[2])
    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(open_sandboxes, getattr(ossia.sandbox, sys.argv[1]), chance)
anyio.run(main)
"""


@pytest.fixture(autouse=True, scope="module")
def adopted_orphans() -> Generator[None]:
    with adopt_orphans():
        yield


@asynccontextmanager
async def running(program: str, *arguments: str) -> AsyncGenerator[Process]:
    """Run a program until the block kills it; yield after its first line of output."""
    async with await anyio.open_process(
        [sys.executable, "-c", program, *arguments], stderr=None
    ) as process:
        await read_lines(process, 1)
        yield process


async def read_lines(process: Process, count: int) -> None:
    """Wait until a program has written `count` more lines."""
    assert process.stdout is not None
    with anyio.fail_after(60):
        while count > 0:
            count -= (await process.stdout.receive()).count(b"\n")


@pytest.mark.docker
async def test_prune_removes_everything_of_a_killed_owner(kind: Kind) -> None:
    leftovers = Leftovers()
    async with running(ONE_SANDBOX, kind.__name__) as owner:
        leftovers.watch(owner.pid)
        assert leftovers.find()
        owner.kill()
    await prune()
    await leftovers.wait_until_none()


@pytest.mark.docker
async def test_prune_keeps_what_living_processes_own(kind: Kind) -> None:
    async with kind(network="egress") as sandbox:
        await sandbox.execute("x = 1")
        await prune()
        assert (await sandbox.execute("x")).result == "1"


@pytest.mark.docker
async def test_the_next_start_removes_containers_of_dead_owners(image: str) -> None:
    mine = owner_labels()
    machine, _, _ = mine[OWNER_LABEL].rpartition("/")
    owners = {
        "dead": {**mine, OWNER_LABEL: f"{machine}/4194305@1"},
        "expired": {**mine, EXPIRES_LABEL: "1"},
        "living": mine,
        "elsewhere": {**mine, OWNER_LABEL: "elsewhere/1@1"},
    }
    client = docker.from_env()
    api: Any = client.api
    containers = {
        api.create_container(image, "true", labels=labels)["Id"]: owner
        for owner, labels in owners.items()
    }
    try:
        async with DockerSandbox():
            found = api.containers(all=True, filters={"label": SANDBOX_LABEL})
        assert {containers[c["Id"]] for c in found if c["Id"] in containers} == {
            "living",
            "elsewhere",
        }
    finally:
        for container in containers:
            with suppress(NotFound):
                api.remove_container(container, force=True)
        client.close()


def test_labels_show_whether_the_owner_is_dead() -> None:
    mine = owner_labels()
    assert not is_abandoned(mine)
    machine, _, process = mine[OWNER_LABEL].rpartition("/")
    pid, _, start = process.partition("@")
    assert is_abandoned({**mine, OWNER_LABEL: f"{machine}/{pid}@{int(start) + 1}"})
    assert is_abandoned({**mine, OWNER_LABEL: f"{machine}/4194305@1"})
    assert is_abandoned({**mine, EXPIRES_LABEL: "1"})
    assert is_abandoned({})
    # The processes of another machine cannot be checked; their containers expire.
    assert not is_abandoned({**mine, OWNER_LABEL: "elsewhere/1@1"})
    assert not is_abandoned({**mine, OWNER_LABEL: ""})
    assert pid == str(os.getpid())


def test_folder_names_show_whether_the_owner_is_dead(tmp_path: Path) -> None:
    mine = create_owned_folder("test")
    _, kind, machine, process, _ = mine.name.split("-")
    others = {
        state: mine.with_name(f"ossia-{kind}-{owner}-{state}")
        for state, owner in {
            "dead": f"{machine}-4194305@1",
            "elsewhere": f"0123abcd-{process}",
            "expired": f"0123abcd-{process}",
        }.items()
    }
    try:
        for folder in others.values():
            folder.mkdir()
        long_ago = time.time() - MAX_AGE_S - 1
        os.utime(others["expired"], (long_ago, long_ago))
        assert mine in owner_of(os.getpid()).folders
        found = {mine, *others.values()} & set(abandoned_folders(mine.parent))
        assert found == {others["dead"], others["expired"]}
    finally:
        for folder in (mine, *others.values()):
            folder.rmdir()


@pytest.mark.docker
async def test_old_images_of_other_recipes_are_removed(
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
        assert await prune_images(older_than_s=10 * MAX_AGE_S) == []
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
async def test_a_tree_that_a_sandbox_uses_is_not_outdated(
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
async def test_200_sandboxes_with_cancellations_and_killed_owners_leave_nothing_behind(
    kind: Kind,
) -> None:
    leftovers, threads = Leftovers(), threading.active_count()
    chance = random.Random(20_260_101)
    await open_and_cancel(kind, 120, chance)
    # The other 80 belong to programs that are killed while five of them are open.
    for started in (5, 9, 14, 21, 31):
        async with running(MANY_SANDBOXES, kind.__name__, str(started)) as owner:
            leftovers.watch(owner.pid)
            await read_lines(owner, started - 1)
            owner.kill()
    await prune()
    # The daemon may still be creating a container for a dead owner: the next prune removes it.
    await leftovers.wait_until_none(meanwhile=prune)
    # The event loop keeps a few idle worker threads.
    assert threading.active_count() <= threads + 8


async def open_and_cancel(kind: Kind, count: int, chance: random.Random) -> None:
    """Open sandboxes, six at a time, and cancel each after a random time."""
    slots = anyio.Semaphore(6)
    cancelled: list[bool] = []

    async def open_one(time_limit_s: float) -> None:
        async with slots:
            with anyio.move_on_after(time_limit_s) as scope:
                async with kind() as sandbox:
                    await sandbox.put("data", bytes(100_000))
                    await sandbox.execute("import time; print('x' * 100_000)")
                    await sandbox.execute("time.sleep(0.2)")
            cancelled.append(scope.cancelled_caught)

    async with anyio.create_task_group() as group:
        for _ in range(count):
            group.start_soon(open_one, chance.choice([0.01, 0.1, 0.3, 0.6, 1.0, 30.0]))
    assert len(cancelled) == count
    assert {True, False} == set(cancelled)


@pytest.mark.docker
@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGTERM])
async def test_a_local_kernel_ends_with_its_owner(signal_number: signal.Signals) -> None:
    leftovers = Leftovers()
    async with running(ONE_SANDBOX, "UnsafeLocalSandbox") as process:
        owner = leftovers.watch(process.pid)
        assert len(leftovers.find()) == 3, "a folder, a supervisor, a worker"
        process.send_signal(signal_number)
    assert owner.folders
    await prune()
    await leftovers.wait_until_none()


async def test_a_local_sandbox_removes_its_folder() -> None:
    async with UnsafeLocalSandbox() as sandbox:
        await sandbox.put("file", b"x")
        folder = sandbox.folder
        assert folder is not None
        assert (folder / "file").read_bytes() == b"x"
    assert not folder.exists()

"""Sandboxes against the way of a container for each call. `python tests/bench/sandbox.py`."""

from __future__ import annotations

import asyncio
import io
import statistics
import tarfile
import time
from collections.abc import Callable, Coroutine
from typing import Any

import anyio
import docker
from ratios import Case, show

from ossia.sandbox import BubblewrapSandbox, DockerSandbox, SandboxPool, build_image, image_tag
from ossia.sandbox.cleanup.ownership import OWNER, labels

SESSIONS = 50
CELLS = 20


class Reference:
    """A container for each call: created, started, given the code, asked, removed."""

    def __init__(self) -> None:
        self._client = docker.from_env()

    def call(self) -> None:
        container = self._client.containers.create(image_tag(), command="sleep infinity")
        try:
            container.start()
            archive = io.BytesIO()
            with tarfile.open(fileobj=archive, mode="w") as tar:
                info = tarfile.TarInfo("script.py")
                info.size = 8
                tar.addfile(info, io.BytesIO(b"print(1)"))
            api: Any = container
            api.put_archive("/tmp", archive.getvalue())
            output = container.exec_run(["python3", "/tmp/script.py"]).output
            if output != b"1\n":
                raise SystemExit(f"the reference answered {output!r}")
        finally:
            container.remove(force=True)

    def close(self) -> None:
        self._client.close()


def p50_ms(ways: list[Callable[[], object]], turns: int) -> list[float]:
    """The median of each way in milliseconds; they take turns, so that a busy machine hits all."""
    taken: list[list[float]] = [[] for _ in ways]
    for _ in range(turns):
        for at, way in enumerate(ways):
            started = time.perf_counter()
            way()
            taken[at].append(1e3 * (time.perf_counter() - started))
    return [statistics.median(times) for times in taken]


def cells(run: Callable[[Coroutine[Any, Any, object]], object]) -> None:
    """A trivial cell in a warm session, against the reference."""
    reference, docked, wrapped = Reference(), DockerSandbox(), BubblewrapSandbox()
    for sandbox in (docked, wrapped):
        run(sandbox.__aenter__())
        run(sandbox.warm_up())
    try:
        ways: list[Callable[[], object]] = [
            reference.call,
            lambda: run(docked.execute("1")),
            lambda: run(wrapped.execute("1")),
        ]
        theirs, ours, local = p50_ms(ways, 25)
        print(
            f"p50 of a cell: reference {theirs:.1f} ms, Docker {ours:.2f} ms, {theirs / ours:.0f}x"
        )
        print(f"               bubblewrap {local:.2f} ms, {theirs / local:.0f}x (promised >= 200x)")
        cases = [Case("cell, Docker", ways[0], ways[1], 200)]
        cases += [Case("cell, bubblewrap", ways[0], ways[2], 200)]
        show(cases, reference="a container each")
    finally:
        for sandbox in (docked, wrapped):
            run(sandbox.__aexit__(None, None, None))
        reference.close()


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a pool to get there."""
    while not condition():  # noqa: ASYNC110 - a pool tells of no such event
        await anyio.sleep(0.005)


async def opening() -> None:
    """How long it takes to open each, and to be given one by a pool."""
    for kind in (DockerSandbox, BubblewrapSandbox):
        opened: list[float] = []
        answered: list[float] = []
        for _ in range(7):
            started = time.perf_counter()
            async with kind() as sandbox:
                opened.append(time.perf_counter() - started)
                await sandbox.execute("1")
                answered.append(time.perf_counter() - started)
        open_ms, answer_ms = (1e3 * statistics.median(times) for times in (opened, answered))
        print(f"open a {kind.__name__}: {open_ms:.0f} ms; to its first answer {answer_ms:.0f} ms")
    acquired: list[float] = []
    async with SandboxPool(size=4, limit=12) as pool:
        for _ in range(20):
            await until(lambda: len(pool) > 0)
            started = time.perf_counter()
            async with pool.acquire():
                acquired.append(1e3 * (time.perf_counter() - started))
    print(f"p50 of acquiring from the pool: {statistics.median(acquired):.3f} ms (promised <= 10)")


async def crowd() -> None:
    """Many sessions at once: cells a second, and what a session weighs."""
    async with (
        SandboxPool(size=SESSIONS, limit=SESSIONS) as pool,
        anyio.create_task_group() as group,
    ):
        await until(lambda: len(pool) == SESSIONS)
        client = docker.from_env()
        mine: dict[str, Any] = {"label": f"{OWNER}={labels()[OWNER]}"}
        containers: list[Any] = client.containers.list(filters=mine)
        used = [int(c.stats(stream=False)["memory_stats"]["usage"]) for c in containers[:5]]
        client.close()
        print(f"memory of a warm session: {statistics.median(used) / 2**20:.0f} MiB")
        ready = anyio.Event()

        async def session() -> None:
            async with pool.acquire() as sandbox:
                await ready.wait()
                for _ in range(CELLS):
                    await sandbox.execute("1")

        for _ in range(SESSIONS):
            group.start_soon(session)
        await anyio.wait_all_tasks_blocked()
        started = time.perf_counter()
        ready.set()
        await until(lambda: not pool.in_use)
        rate = SESSIONS * CELLS / (time.perf_counter() - started)
        print(f"{SESSIONS} sessions at once: {rate:.0f} cells a second in all")


def main() -> None:
    """Print everything."""
    anyio.run(build_image, print)
    with asyncio.Runner() as runner:
        cells(runner.run)
    anyio.run(opening)
    anyio.run(crowd)


if __name__ == "__main__":
    main()

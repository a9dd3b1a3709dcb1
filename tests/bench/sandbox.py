"""Sandboxes compared with a new container for each call. `python tests/bench/sandbox.py`."""

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
from ossia.sandbox.cleanup.ownership import OWNER_LABEL, owner_labels

SANDBOXES = 50
CELLS = 20


class Reference:
    """A new container for each call: create, start, copy the code, run it, remove."""

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
                raise SystemExit(f"the reference returned {output!r}")
        finally:
            container.remove(force=True)

    def close(self) -> None:
        self._client.close()


def p50_ms(calls: list[Callable[[], object]], rounds: int) -> list[float]:
    """Return the median time of each call; they alternate, so that load affects all equally."""
    times_ms: list[list[float]] = [[] for _ in calls]
    for _ in range(rounds):
        for index, call in enumerate(calls):
            started = time.perf_counter()
            call()
            times_ms[index].append(1e3 * (time.perf_counter() - started))
    return [statistics.median(times) for times in times_ms]


def measure_cells(run: Callable[[Coroutine[Any, Any, object]], object]) -> None:
    """Print the time of a trivial cell in a warm sandbox, compared with the reference."""
    reference, docker_sandbox, bubblewrap_sandbox = (
        Reference(),
        DockerSandbox(),
        BubblewrapSandbox(),
    )
    for sandbox in (docker_sandbox, bubblewrap_sandbox):
        run(sandbox.__aenter__())
        run(sandbox.warm_up())
    try:
        calls: list[Callable[[], object]] = [
            reference.call,
            lambda: run(docker_sandbox.execute("1")),
            lambda: run(bubblewrap_sandbox.execute("1")),
        ]
        reference_ms, docker_ms, bubblewrap_ms = p50_ms(calls, 25)
        print(
            f"p50 of a cell: reference {reference_ms:.1f} ms, "
            f"Docker {docker_ms:.2f} ms, {reference_ms / docker_ms:.0f}x"
        )
        print(
            f"               bubblewrap {bubblewrap_ms:.2f} ms, "
            f"{reference_ms / bubblewrap_ms:.0f}x (promised >= 200x)"
        )
        cases = [Case("cell, Docker", calls[0], calls[1], 200)]
        cases += [Case("cell, bubblewrap", calls[0], calls[2], 200)]
        show(cases, reference="a new container")
    finally:
        for sandbox in (docker_sandbox, bubblewrap_sandbox):
            run(sandbox.__aexit__(None, None, None))
        reference.close()


async def wait_until(condition: Callable[[], bool]) -> None:
    """Wait until a pool meets a condition."""
    while not condition():  # noqa: ASYNC110 - a pool has no such event
        await anyio.sleep(0.005)


async def measure_opening() -> None:
    """Print how long it takes to open a sandbox, and to acquire one from a pool."""
    for kind in (DockerSandbox, BubblewrapSandbox):
        open_s: list[float] = []
        first_result_s: list[float] = []
        for _ in range(7):
            started = time.perf_counter()
            async with kind() as sandbox:
                open_s.append(time.perf_counter() - started)
                await sandbox.execute("1")
                first_result_s.append(time.perf_counter() - started)
        open_ms, first_ms = (1e3 * statistics.median(times) for times in (open_s, first_result_s))
        print(f"open a {kind.__name__}: {open_ms:.0f} ms; to its first result {first_ms:.0f} ms")
    acquire_ms: list[float] = []
    async with SandboxPool(size=4, limit=12) as pool:
        for _ in range(20):
            await wait_until(lambda: len(pool) > 0)
            started = time.perf_counter()
            async with pool.acquire():
                acquire_ms.append(1e3 * (time.perf_counter() - started))
    print(
        f"p50 of acquiring from the pool: {statistics.median(acquire_ms):.3f} ms (promised <= 10)"
    )


async def measure_concurrent_sandboxes() -> None:
    """Print the cells per second of many sandboxes at once, and the memory of one."""
    async with (
        SandboxPool(size=SANDBOXES, limit=SANDBOXES) as pool,
        anyio.create_task_group() as group,
    ):
        await wait_until(lambda: len(pool) == SANDBOXES)
        client = docker.from_env()
        filters: dict[str, Any] = {"label": f"{OWNER_LABEL}={owner_labels()[OWNER_LABEL]}"}
        containers: list[Any] = client.containers.list(filters=filters)
        used = [int(c.stats(stream=False)["memory_stats"]["usage"]) for c in containers[:5]]
        client.close()
        print(f"memory of a warm sandbox: {statistics.median(used) / 2**20:.0f} MiB")
        ready = anyio.Event()

        async def run_cells() -> None:
            async with pool.acquire() as sandbox:
                await ready.wait()
                for _ in range(CELLS):
                    await sandbox.execute("1")

        for _ in range(SANDBOXES):
            group.start_soon(run_cells)
        await anyio.wait_all_tasks_blocked()
        started = time.perf_counter()
        ready.set()
        await wait_until(lambda: not pool.in_use)
        rate = SANDBOXES * CELLS / (time.perf_counter() - started)
        print(f"{SANDBOXES} sandboxes at once: {rate:.0f} cells per second in total")


def main() -> None:
    """Print all measurements."""
    anyio.run(build_image, print)
    with asyncio.Runner() as runner:
        measure_cells(runner.run)
    anyio.run(measure_opening)
    anyio.run(measure_concurrent_sandboxes)


if __name__ == "__main__":
    main()

"""The pool: warm sandboxes, a limit, and no sandbox that is used twice."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

import anyio
import pytest

from ossia.errors import SandboxError, SandboxUnavailableError
from ossia.sandbox import SandboxPool, UnsafeLocalSandbox

from .conftest import Kind


@dataclass
class RecordingFactory:
    """A factory of local sandboxes that records them."""

    sandboxes: list[UnsafeLocalSandbox] = field(default_factory=list[UnsafeLocalSandbox])

    def __call__(self) -> UnsafeLocalSandbox:
        self.sandboxes.append(UnsafeLocalSandbox())
        return self.sandboxes[-1]


async def test_a_pool_yields_working_sandboxes(kind: Kind) -> None:
    async with SandboxPool(make=kind, size=1) as pool, pool.acquire() as sandbox:
        assert (await sandbox.execute("In[-1], len(In)")).result == "('In[-1], len(In)', 2)"


async def test_no_sandbox_is_used_twice() -> None:
    async with SandboxPool(make=UnsafeLocalSandbox, size=1, limit=2) as pool:
        seen: set[int] = set()
        for _ in range(3):
            async with pool.acquire() as sandbox:
                assert (await sandbox.execute("'mine' in globals()")).result == "False"
                await sandbox.execute("mine = 1")
                seen.add(id(sandbox))
                assert sandbox in pool._alive
        assert len(seen) == 3


async def test_no_more_sandboxes_than_the_limit_are_alive() -> None:
    most = 0
    async with SandboxPool(make=UnsafeLocalSandbox, size=1, limit=2) as pool:

        async def use() -> None:
            nonlocal most
            async with pool.acquire() as sandbox:
                await sandbox.execute("1")
                most = max(most, len(pool._alive))

        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(use)
    assert 1 <= most <= 2


async def test_all_sandboxes_are_removed_when_the_pool_ends(kind: Kind) -> None:
    pool = SandboxPool(make=kind, size=2)
    async with pool, pool.acquire() as sandbox:
        pass
    with pytest.raises(SandboxError, match="not open"):
        await sandbox.execute("1")
    assert not pool._alive


async def test_cancelled_acquires_lose_no_sandbox() -> None:
    make = RecordingFactory()
    async with SandboxPool(make=make, size=1, limit=2) as pool:
        for delay in (0.0, 0.001, 0.05, 0.3):
            with anyio.move_on_after(delay):
                async with pool.acquire() as sandbox:
                    await sandbox.execute("while True: pass")
        with anyio.fail_after(30):
            async with pool.acquire() as sandbox:
                assert (await sandbox.execute("'fine'")).result == "'fine'"
    assert not any(sandbox._process.started for sandbox in make.sandboxes)


async def test_a_failed_start_is_raised_in_the_waiting_task() -> None:
    class Unavailable(UnsafeLocalSandbox):
        async def __aenter__(self) -> Self:
            raise SandboxUnavailableError("no sandbox today")

    async with SandboxPool(make=Unavailable, size=1) as pool:
        for _ in range(2):
            with pytest.raises(SandboxUnavailableError, match="no sandbox today"):
                async with pool.acquire():
                    pass


async def test_old_sandboxes_are_replaced_and_idle_ones_are_removed() -> None:
    make = RecordingFactory()
    aging = SandboxPool(make=make, size=1, max_age_s=0.1)
    async with aging:
        with anyio.fail_after(30):
            async with aging._changed:
                while len(make.sandboxes) < 3:
                    await aging._changed.wait()
    idle = SandboxPool(make=UnsafeLocalSandbox, size=1, max_idle_s=0.2)
    async with idle:
        async with idle.acquire():
            pass
        with anyio.fail_after(20):
            async with idle._changed:
                while idle._alive or idle._starting:
                    await idle._changed.wait()
        async with idle.acquire() as sandbox:
            assert (await sandbox.execute("1")).result == "1"


@pytest.mark.parametrize("sizes", [(0, 1), (3, 2)])
def test_invalid_sizes_are_refused(sizes: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="size is"):
        SandboxPool(size=sizes[0], limit=sizes[1])

"""What is bubblewrap's own, and which sandbox is opened where."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from ossia.errors import SandboxUnavailableError
from ossia.sandbox import BubblewrapSandbox, open_sandbox
from ossia.sandbox.backends.seccomp import seccomp_filter
from ossia.sandbox.images import debian


@pytest.mark.bubblewrap
async def test_the_machines_own_system_serves_where_no_tree_was_built(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(debian, "tree_path", lambda: tmp_path / "nothing")
    async with BubblewrapSandbox() as sandbox:
        assert (await sandbox.execute("x = 6\nx * 7")).result == "42"
        assert (await sandbox.execute("import os; os.path.exists('/root')")).result == "False"
        failed = await sandbox.execute("1 / 0")
        assert failed.error is not None
        assert failed.error.name == "ZeroDivisionError"
        late = await sandbox.execute("while True: pass", timeout_s=0.3)
        assert (late.timed_out, late.state_lost) == (True, False)
        assert (await sandbox.execute("x")).result == "6"


async def test_no_bwrap_is_told_with_the_way_to_get_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SandboxUnavailableError, match="apt-get install bubblewrap"):
        await BubblewrapSandbox().__aenter__()


@pytest.fixture
def complain(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """Put a bwrap into the way that says something, and ends."""

    def install(words: str) -> None:
        program = tmp_path / "bwrap"
        program.write_text(f"#!/bin/sh\necho {words!r} >&2\nexit 1\n")
        program.chmod(0o755)
        # As root, it is started as somebody else, who must be able to reach it.
        for folder in (tmp_path, *tmp_path.parents[:2]):
            folder.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    return install


@pytest.mark.parametrize(
    "words",
    # What bubblewrap says, to the letter, where the kernel forbids it, and inside a container.
    [
        "bwrap: No permissions to create a new namespace",
        "bwrap: Can't mount proc on /newroot/proc: Operation not permitted",
    ],
)
async def test_what_bubblewrap_is_not_allowed_is_told_with_the_ways_out(
    complain: Callable[[str], None], words: str
) -> None:
    complain(words)
    with pytest.raises(SandboxUnavailableError, match=r"not allowed.*sysctl.*Docker") as told:
        await BubblewrapSandbox().__aenter__()
    assert words in str(told.value)


async def test_both_reasons_are_told_where_bubblewrap_dies_at_its_start(
    complain: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nothing.sock")
    complain("Segmentation fault")
    with pytest.raises(SandboxUnavailableError) as told:
        async with open_sandbox():
            pass
    docker, bubblewrap = str(told.value).splitlines()[1:]
    assert "no such file" in docker
    assert "Start it (`dockerd &`" in docker
    assert "Segmentation fault" in bubblewrap


@pytest.mark.bubblewrap
async def test_bubblewrap_is_opened_where_no_daemon_answers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nothing.sock")
    async with open_sandbox(memory_mib=512) as sandbox:
        assert isinstance(sandbox, BubblewrapSandbox)
        assert sandbox.memory_mib == 512
        assert (await sandbox.execute("1 + 1")).result == "2"


async def test_without_either_nothing_is_opened_and_both_ways_are_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nothing.sock")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SandboxUnavailableError, match=r"(?s)Docker: .*bubblewrap: .*apt-get"):
        async with open_sandbox():
            pass


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_filter_is_a_program_whose_jumps_stay_inside(machine: str) -> None:
    program = seccomp_filter(machine)
    assert program is not None
    steps = list(struct.iter_unpack("<HBBI", program))
    assert len(steps) < 4096
    for at, (_, yes, no, _) in enumerate(steps):
        assert at + 1 + max(yes, no) < len(steps) or (yes, no) == (0, 0)
    assert steps[-1] == (0x06, 0, 0, 0x7FFF0000)


def test_an_unknown_machine_has_no_filter() -> None:
    assert seccomp_filter("vax") is None

"""Bubblewrap sandboxes, and the choice of the default sandbox."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from ossia.errors import SandboxUnavailableError
from ossia.sandbox import BubblewrapSandbox, open_sandbox
from ossia.sandbox.backends import bubblewrap
from ossia.sandbox.backends.seccomp import seccomp_filter


@pytest.mark.bubblewrap
async def test_without_a_tree_the_system_of_the_machine_is_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(bubblewrap, "tree_path", lambda: tmp_path / "nothing")
    async with BubblewrapSandbox() as sandbox:
        assert (await sandbox.execute("x = 6\nx * 7")).result == "42"
        assert (await sandbox.execute("import os; os.path.exists('/root')")).result == "False"
        failed = await sandbox.execute("1 / 0")
        assert failed.error is not None
        assert failed.error.name == "ZeroDivisionError"
        late = await sandbox.execute("while True: pass", timeout_s=0.3)
        assert (late.timed_out, late.state_lost) == (True, False)
        assert (await sandbox.execute("x")).result == "6"


async def test_a_missing_bwrap_is_reported_with_the_way_to_install_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SandboxUnavailableError, match="apt-get install bubblewrap"):
        await BubblewrapSandbox().__aenter__()


@pytest.fixture
def install_failing_bwrap(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """Return a function that installs a `bwrap` which prints a message and fails."""

    def install(message: str) -> None:
        program = tmp_path / "bwrap"
        program.write_text(f"#!/bin/sh\necho {message!r} >&2\nexit 1\n")
        program.chmod(0o755)
        # If the tests run as root, bwrap starts as another user, who must be able to reach it.
        for folder in (tmp_path, *tmp_path.parents):
            if folder.stat().st_mode & 0o001:
                break
            folder.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    return install


@pytest.mark.parametrize(
    "message",
    # The exact messages of bubblewrap if the kernel forbids it, and inside a container.
    [
        "bwrap: No permissions to create a new namespace",
        "bwrap: Can't mount proc on /newroot/proc: Operation not permitted",
    ],
)
async def test_missing_permissions_are_reported_with_the_solutions(
    install_failing_bwrap: Callable[[str], None], message: str
) -> None:
    install_failing_bwrap(message)
    with pytest.raises(SandboxUnavailableError, match=r"not allowed.*sysctl.*Docker") as raised:
        await BubblewrapSandbox().__aenter__()
    assert message in str(raised.value)


async def test_both_reasons_are_reported_if_bubblewrap_fails_to_start(
    install_failing_bwrap: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nothing.sock")
    install_failing_bwrap("Segmentation fault")
    with pytest.raises(SandboxUnavailableError) as raised:
        async with open_sandbox():
            pass
    docker_reason, bubblewrap_reason = str(raised.value).splitlines()[1:]
    assert "no such file" in docker_reason
    assert "Start it (`dockerd &`" in docker_reason
    assert "Segmentation fault" in bubblewrap_reason


@pytest.mark.bubblewrap
async def test_bubblewrap_is_used_if_no_docker_daemon_answers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nothing.sock")
    async with open_sandbox(memory_mib=512) as sandbox:
        assert isinstance(sandbox, BubblewrapSandbox)
        assert sandbox.memory_mib == 512
        assert (await sandbox.execute("1 + 1")).result == "2"


async def test_without_docker_and_bubblewrap_the_error_names_both(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nothing.sock")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SandboxUnavailableError, match=r"(?s)Docker: .*bubblewrap: .*apt-get"):
        async with open_sandbox():
            pass


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_jumps_of_the_filter_stay_inside_it(machine: str) -> None:
    program = seccomp_filter(machine)
    assert program is not None
    steps = list(struct.iter_unpack("<HBBI", program))
    assert len(steps) < 4096
    for index, (_, if_true, if_false, _) in enumerate(steps):
        assert index + 1 + max(if_true, if_false) < len(steps) or (if_true, if_false) == (0, 0)
    assert steps[-1] == (0x06, 0, 0, 0x7FFF0000)


def test_an_unknown_architecture_has_no_filter() -> None:
    assert seccomp_filter("vax") is None

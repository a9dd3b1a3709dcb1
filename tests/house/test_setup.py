"""What a newcomer's machine may lack, and what set-up says then: one line, with the way out."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator, Mapping
from pathlib import Path

import pytest

from tests.house.sources import ROOT

NOBODY = 65534


@pytest.fixture
def checkout() -> Generator[Path]:
    """A checkout's set-up alone, in a folder that every user may read."""
    with tempfile.TemporaryDirectory(prefix="checkout-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        shutil.copytree(ROOT / ".setup", folder / ".setup")
        yield folder


def programs(folder: Path, **scripts: str) -> Path:
    """A folder of programs that stand in for the machine's, each a line of shell."""
    path = folder / "programs"
    path.mkdir()
    for name, line in scripts.items():
        program = path / name
        program.write_text(f"#!/bin/sh\n{line}\n")
        program.chmod(0o755)
    return path


def run_step(
    checkout: Path, *step: str, path: str | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run one step of set-up as a machine with that PATH and environment would."""
    inherited = {name: os.environ[name] for name in ("HOME", "PATH") if name in os.environ}
    changed: Mapping[str, str] = environment if path is None else {"PATH": path, **environment}
    command, *arguments = step
    return subprocess.run(
        ["/bin/bash", str(checkout / ".setup" / command), *arguments],
        env={**inherited, **changed},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_python_that_is_too_old_is_named(checkout: Path) -> None:
    path = programs(checkout, python3="echo /usr/bin/python3 3 9")
    done = run_step(checkout, "find-python", path=str(path))
    assert done.returncode != 0
    (line,) = done.stderr.splitlines()
    assert "Python 3.11 or newer" in line
    assert "python3 is 3.9" in line
    assert "OSSIA_PYTHON=" in line


def test_no_python_at_all_is_said(checkout: Path) -> None:
    done = run_step(checkout, "find-python", path=str(programs(checkout)))
    assert done.returncode != 0
    assert "none found" in done.stderr


def test_a_newer_python_beside_an_old_one_is_found(checkout: Path) -> None:
    path = programs(
        checkout,
        python3="echo /usr/bin/python3 3 9",
        **{"python3.13": "exit 127", "python3.12": "echo /opt/python3.12 3 12"},
    )
    done = run_step(checkout, "find-python", path=str(path))
    assert done.stdout == "/opt/python3.12\n"


def test_a_python_that_is_named_is_the_only_one_asked(checkout: Path) -> None:
    path = programs(checkout, python3="echo /usr/bin/python3 3 12", old="echo /opt/old 3 10")
    done = run_step(checkout, "find-python", path=str(path), OSSIA_PYTHON="old")
    assert done.returncode != 0
    assert "old is 3.10" in done.stderr


def test_this_python_is_found(checkout: Path) -> None:
    done = run_step(checkout, "find-python", OSSIA_PYTHON=sys.executable)
    assert Path(done.stdout.strip()).samefile(sys.executable)


def test_without_root_the_command_to_type_is_said(checkout: Path) -> None:
    path = programs(checkout, sudo="exit 1", **{"apt-get": "exit 99"})
    done = subprocess.run(
        [checkout / ".setup" / "apt", "bubblewrap", "chromium"],
        env={"PATH": f"{path}:/usr/bin:/bin", "HOME": "/nowhere"},
        user=NOBODY if os.geteuid() == 0 else None,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.endswith("sudo apt-get install bubblewrap chromium")


def test_another_system_than_debian_is_told_what_to_install(checkout: Path) -> None:
    path = programs(checkout, dirname='exec /usr/bin/dirname "$@"')
    done = run_step(checkout, "apt", "bubblewrap", path=str(path))
    assert done.returncode == 1
    assert done.stderr.endswith("install by your system's own means: bubblewrap\n")


def test_what_debian_cannot_give_does_not_end_set_up(checkout: Path) -> None:
    path = programs(checkout, dirname='exec /usr/bin/dirname "$@"', bash='exec /bin/bash "$@"')
    done = run_step(checkout, "debian", path=str(path), DOCKER_HOST="tcp://127.0.0.1:1")
    assert done.returncode == 0
    assert "chromium" in done.stderr


def test_a_daemon_that_does_not_answer_leaves_bubblewrap(checkout: Path) -> None:
    (checkout / ".venv").symlink_to(sys.prefix)
    done = run_step(checkout, "docker", DOCKER_HOST="unix:///nowhere/docker.sock")
    assert done.returncode == 0
    (line,) = done.stdout.splitlines()
    assert "nothing answers at DOCKER_HOST=unix:///nowhere/docker.sock" in line
    assert line.endswith("without Docker the sandbox is bubblewrap")


def test_a_machine_that_vllm_has_no_build_for_is_told(checkout: Path, tmp_path: Path) -> None:
    path = f"{programs(checkout, uname='echo Linux riscv64')}:{os.environ['PATH']}"
    done = run_step(checkout, "engine", path=path, XDG_CACHE_HOME=str(tmp_path))
    assert done.returncode == 0
    assert "no vLLM for CPU on Linux riscv64" in done.stdout
    assert "OSSIA_ENGINE_PYTHON=" in done.stdout


def test_an_engine_of_the_users_own_is_used(checkout: Path, tmp_path: Path) -> None:
    own = {"XDG_CACHE_HOME": str(tmp_path), "OSSIA_ENGINE_PYTHON": "/opt/vllm/bin/python"}
    assert run_step(checkout, "engine", "--path", **own).stdout == "/opt/vllm/bin/python\n"
    done = run_step(checkout, "engine", **own)
    assert (done.returncode, done.stdout) == (0, "")


def test_an_engine_whose_installation_broke_off_is_not_used(checkout: Path, tmp_path: Path) -> None:
    cache = {"XDG_CACHE_HOME": str(tmp_path), "OSSIA_PYTHON": sys.executable}
    # There is no .venv with an installer in it, so nothing comes after the empty environment.
    assert run_step(checkout, "engine", **cache).returncode != 0
    (python,) = tmp_path.glob("ossia/engine/*/bin/python")
    assert run_step(checkout, "engine", "--path", **cache).stdout == "\n"
    (python.parents[1] / ".ready").touch()
    assert run_step(checkout, "engine", "--path", **cache).stdout == f"{python}\n"


def test_make_lists_what_it_can_do() -> None:
    listed = subprocess.check_output(["make", "--no-print-directory", "-C", str(ROOT)], text=True)
    targets = {line.split()[1] for line in listed.splitlines()}
    assert {"demo", "test", "lint", "bench", "train", "evaluate", "clean"} <= targets

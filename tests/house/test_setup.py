"""Setup on machines that lack something: it prints one line that says what to do."""

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
    """Copy the setup scripts alone to a folder that every user may read."""
    with tempfile.TemporaryDirectory(prefix="checkout-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        shutil.copytree(ROOT / ".setup", folder / ".setup")
        yield folder


def programs(folder: Path, **scripts: str) -> Path:
    """Create a folder of fake programs, each one line of shell."""
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
    """Run one setup step with the given PATH and environment."""
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


def test_the_error_names_a_python_that_is_too_old(checkout: Path) -> None:
    path = programs(checkout, python3="echo /usr/bin/python3 3 9")
    process = run_step(checkout, "find-python", path=str(path))
    assert process.returncode != 0
    (line,) = process.stderr.splitlines()
    assert "Python 3.11 or newer" in line
    assert "python3 is 3.9" in line
    assert "OSSIA_PYTHON=" in line


def test_the_error_says_if_no_python_is_found(checkout: Path) -> None:
    process = run_step(checkout, "find-python", path=str(programs(checkout)))
    assert process.returncode != 0
    assert "none found" in process.stderr


def test_a_newer_python_is_found_next_to_an_old_one(checkout: Path) -> None:
    path = programs(
        checkout,
        python3="echo /usr/bin/python3 3 9",
        **{"python3.13": "exit 127", "python3.12": "echo /opt/python3.12 3 12"},
    )
    process = run_step(checkout, "find-python", path=str(path))
    assert process.stdout == "/opt/python3.12\n"


def test_only_the_python_in_ossia_python_is_checked(checkout: Path) -> None:
    path = programs(checkout, python3="echo /usr/bin/python3 3 12", old="echo /opt/old 3 10")
    process = run_step(checkout, "find-python", path=str(path), OSSIA_PYTHON="old")
    assert process.returncode != 0
    assert "old is 3.10" in process.stderr


def test_the_python_of_the_tests_is_found(checkout: Path) -> None:
    process = run_step(checkout, "find-python", OSSIA_PYTHON=sys.executable)
    assert Path(process.stdout.strip()).samefile(sys.executable)


def test_without_root_the_command_to_run_is_printed(checkout: Path) -> None:
    path = programs(checkout, sudo="exit 1", **{"apt-get": "exit 99"})
    process = subprocess.run(
        [checkout / ".setup" / "apt", "bubblewrap", "chromium"],
        env={"PATH": f"{path}:/usr/bin:/bin", "HOME": "/nowhere"},
        user=NOBODY if os.geteuid() == 0 else None,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 1
    (line,) = process.stderr.splitlines()
    assert line.endswith("sudo apt-get install bubblewrap chromium")


def test_without_apt_the_packages_to_install_are_printed(checkout: Path) -> None:
    path = programs(checkout, dirname='exec /usr/bin/dirname "$@"')
    process = run_step(checkout, "apt", "bubblewrap", path=str(path))
    assert process.returncode == 1
    assert process.stderr.endswith("install these with your system's package manager: bubblewrap\n")


def test_setup_continues_without_the_debian_packages(checkout: Path) -> None:
    path = programs(checkout, dirname='exec /usr/bin/dirname "$@"', bash='exec /bin/bash "$@"')
    process = run_step(checkout, "debian", path=str(path), DOCKER_HOST="tcp://127.0.0.1:1")
    assert process.returncode == 0
    assert "chromium" in process.stderr


def test_without_a_daemon_that_responds_bubblewrap_is_used(checkout: Path) -> None:
    (checkout / ".venv").symlink_to(sys.prefix)
    process = run_step(checkout, "docker", DOCKER_HOST="unix:///nowhere/docker.sock")
    assert process.returncode == 0
    (line,) = process.stdout.splitlines()
    assert "no daemon responds at DOCKER_HOST=unix:///nowhere/docker.sock" in line
    assert line.endswith("ossia uses bubblewrap instead of Docker")


def test_the_message_says_if_vllm_has_no_build_for_the_machine(
    checkout: Path, tmp_path: Path
) -> None:
    path = f"{programs(checkout, uname='echo Linux riscv64')}:{os.environ['PATH']}"
    process = run_step(checkout, "engine", path=path, XDG_CACHE_HOME=str(tmp_path))
    assert process.returncode == 0
    assert "vLLM has no CPU build for Linux riscv64" in process.stdout
    assert "set OSSIA_ENGINE_PYTHON to" in process.stdout


def test_the_python_in_ossia_engine_python_is_used(checkout: Path, tmp_path: Path) -> None:
    own = {"XDG_CACHE_HOME": str(tmp_path), "OSSIA_ENGINE_PYTHON": "/opt/vllm/bin/python"}
    assert run_step(checkout, "engine", "--path", **own).stdout == "/opt/vllm/bin/python\n"
    process = run_step(checkout, "engine", **own)
    assert (process.returncode, process.stdout) == (0, "")


def test_an_engine_whose_installation_was_interrupted_is_not_used(
    checkout: Path, tmp_path: Path
) -> None:
    cache = {"XDG_CACHE_HOME": str(tmp_path), "OSSIA_PYTHON": sys.executable}
    # The checkout has no .venv with pip, so the installation stops at the empty environment.
    assert run_step(checkout, "engine", **cache).returncode != 0
    (python,) = tmp_path.glob("ossia/engine/*/bin/python")
    assert run_step(checkout, "engine", "--path", **cache).stdout == "\n"
    (python.parents[1] / ".ready").touch()
    assert run_step(checkout, "engine", "--path", **cache).stdout == f"{python}\n"


def test_make_lists_its_targets() -> None:
    listed = subprocess.check_output(["make", "--no-print-directory", "-C", str(ROOT)], text=True)
    targets = {line.split()[1] for line in listed.splitlines()}
    assert {"demo", "test", "lint", "bench", "train", "evaluate", "clean"} <= targets

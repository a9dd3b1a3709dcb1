"""What tests/conftest.py does: no skip with CI=true, no process left, groups that share things."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.house.sources import ROOT

SKIPPED_TEST = """
import pytest

@pytest.mark.skip(reason="the reason to skip")
def test_skipped(): ...

@pytest.mark.xfail(reason="known", strict=True)
def test_that_is_known_to_fail():
    raise AssertionError

def test_fine(): ...
"""
SKIPPED_FILE = """
import pytest
pytest.importorskip("no_such_module")
"""
PROCESS_LEFT_BEHIND = """
import subprocess

def test_that_leaves_a_process():
    subprocess.Popen(["sleep", "60"])
"""

USES_A_SERVER = """
import pytest

@pytest.fixture
def tiny_server(): ...

def test_first(tiny_server): ...
def test_second(tiny_server): ...
def test_without_a_server(): ...
"""
USES_NOTHING = """
def test_first(): ...
def test_second(): ...
"""
PARALLEL = ("-v", "-p", "xdist.plugin", "-n", "2", "--dist", "loadgroup", "--no-loadscope-reorder")


def run_pytest(
    folder: Path, *tests: str, options: Sequence[str] = (), **environment: str
) -> tuple[int, str]:
    """Run test files with only our conftest; return the exit status and the output of pytest."""
    for i, text in enumerate(tests):
        (folder / f"test_{i}.py").write_text(text)
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-rs", "-o", "addopts="]
    outer = {name: value for name, value in os.environ.items() if name != "CI"}
    process = subprocess.run(
        [*command, *options, "--rootdir", str(folder), str(folder)],
        cwd=ROOT,
        env=outer | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return process.returncode, process.stdout + process.stderr


def test_a_skipped_file_fails_in_ci(tmp_path: Path) -> None:
    status, output = run_pytest(tmp_path, SKIPPED_TEST, SKIPPED_FILE, CI="true")
    assert status != 0
    assert "test_1.py was skipped, but with CI=true every test must run" in output
    assert "no_such_module" in output


def test_a_skipped_test_fails_in_ci_with_its_reason_and_other_tests_pass(tmp_path: Path) -> None:
    status, output = run_pytest(tmp_path, SKIPPED_TEST, CI="true")
    assert status != 0
    assert "test_skipped was skipped, but with CI=true every test must run" in output
    assert "the reason to skip" in output
    assert "1 passed, 1 xfailed, 1 error" in output


def test_a_skip_is_allowed_outside_ci(tmp_path: Path) -> None:
    status, output = run_pytest(tmp_path, SKIPPED_TEST, SKIPPED_FILE)
    assert status == 0
    assert "1 passed, 2 skipped, 1 xfailed" in output


def test_a_test_that_leaves_a_process_running_fails(tmp_path: Path) -> None:
    status, output = run_pytest(tmp_path, PROCESS_LEFT_BEHIND)
    assert status != 0
    assert "the test ended but left these processes running" in output


def test_a_skipped_test_fails_in_ci_with_two_processes(tmp_path: Path) -> None:
    status, output = run_pytest(tmp_path, SKIPPED_TEST, options=PARALLEL, CI="true")
    assert status != 0
    assert "test_skipped@test_0.py was skipped, but with CI=true every test must run" in output
    assert "1 passed, 1 xfailed, 1 error" in output


def test_tests_that_share_a_fixture_or_a_file_run_in_one_process(tmp_path: Path) -> None:
    files = [USES_NOTHING, USES_A_SERVER, USES_A_SERVER, USES_NOTHING]
    status, output = run_pytest(tmp_path, *files, options=PARALLEL)
    assert status == 0
    processes: dict[str, set[str]] = {}
    order: list[str] = []
    for process, group in re.findall(r"\[(gw\d)\].* PASSED \S+@(\S+)", output):
        processes.setdefault(group, set()).add(process)
        order.append(group)
    assert {group: len(found) for group, found in processes.items()} == {
        "engine": 1,
        "test_0.py": 1,
        "test_1.py": 1,
        "test_2.py": 1,
        "test_3.py": 1,
    }
    assert order.count("engine") == 4

"""What tests/conftest.py enforces: no skip when CI=true, no process left after a test."""

from __future__ import annotations

import os
import subprocess
import sys
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


def run_pytest(folder: Path, *tests: str, **environment: str) -> tuple[int, str]:
    """Run test files with only our conftest; return the exit status and the output of pytest."""
    for i, text in enumerate(tests):
        (folder / f"test_{i}.py").write_text(text)
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-rs", "-o", "addopts="]
    outer = {name: value for name, value in os.environ.items() if name != "CI"}
    process = subprocess.run(
        [*command, "--rootdir", str(folder), str(folder)],
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

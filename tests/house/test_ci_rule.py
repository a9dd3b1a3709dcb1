"""What the root conftest promises: with CI=true none is skipped; no process outlives its test."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.house.sources import ROOT

SKIPPING = """
import pytest

@pytest.mark.skip(reason="the moon is full")
def test_howl(): ...

@pytest.mark.xfail(reason="known", strict=True)
def test_that_is_known_to_fail():
    raise AssertionError

def test_fine(): ...
"""
SKIPPED_WHOLE = """
import pytest
pytest.importorskip("no_such_module")
"""
LEAVING_A_PROCESS = """
import subprocess

def test_that_leaves_a_process():
    subprocess.Popen(["sleep", "60"])
"""


def run_pytest(folder: Path, *tests: str, **environment: str) -> tuple[int, str]:
    """Run files of tests under our conftest alone; return pytest's status and output."""
    for i, text in enumerate(tests):
        (folder / f"test_{i}.py").write_text(text)
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-rs", "-o", "addopts="]
    outer = {name: value for name, value in os.environ.items() if name != "CI"}
    done = subprocess.run(
        [*command, "--rootdir", str(folder), str(folder)],
        cwd=ROOT,
        env=outer | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_a_skip_fails_in_ci(tmp_path: Path) -> None:
    status, output = run_pytest(tmp_path, SKIPPING, SKIPPED_WHOLE, CI="true")
    assert status != 0
    assert "test_1.py did not run, and with CI=true every test must" in output
    assert "no_such_module" in output


def test_a_skip_in_ci_says_why_and_harms_no_other_test(tmp_path: Path) -> None:
    status, output = run_pytest(tmp_path, SKIPPING, CI="true")
    assert status != 0
    assert "test_howl did not run, and with CI=true every test must" in output
    assert "the moon is full" in output
    assert "1 passed, 1 xfailed, 1 error" in output


def test_a_skip_is_a_skip_elsewhere(tmp_path: Path) -> None:
    status, output = run_pytest(tmp_path, SKIPPING, SKIPPED_WHOLE)
    assert status == 0
    assert "1 passed, 2 skipped, 1 xfailed" in output


def test_a_process_that_outlives_its_test_fails_it(tmp_path: Path) -> None:
    status, output = run_pytest(tmp_path, LEAVING_A_PROCESS)
    assert status != 0
    assert "these processes of its did not" in output

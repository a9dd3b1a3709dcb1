"""The hosted CI runs `.ci/run` with the Python versions that the package declares."""

from __future__ import annotations

import re
import tomllib
from typing import Any

from tests.house.sources import ROOT

WORKFLOW = ROOT / ".github" / "workflows" / "ci.yml"
CLASSIFIER = "Programming Language :: Python :: 3."


def project() -> dict[str, Any]:
    """Return the table `project` of pyproject.toml."""
    found: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return found


def workflow_versions() -> list[str]:
    """Return the Python versions that the workflow installs."""
    return re.findall(r'python-version: "(3\.\d+)"', WORKFLOW.read_text())


def test_the_workflow_does_what_ci_does() -> None:
    assert re.search(r"^ +- run: .*\.ci/run$", WORKFLOW.read_text(), re.MULTILINE)
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111


def test_the_declared_versions_are_the_workflow_versions() -> None:
    prefix = CLASSIFIER.removesuffix("3.")
    declared = [
        text.removeprefix(prefix) for text in project()["classifiers"] if CLASSIFIER in text
    ]
    assert declared == workflow_versions()


def test_the_oldest_supported_version_is_tested() -> None:
    assert project()["requires-python"] == f">={workflow_versions()[0]}"


def test_every_tested_version_is_one_that_the_setup_accepts() -> None:
    script = (ROOT / ".setup" / "find-python").read_text()
    assert [version for version in workflow_versions() if f"python{version}" not in script] == []

"""Shared fixtures: the reference browser, and an open Chromium."""

from __future__ import annotations

import hashlib
import importlib
import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from ossia.harmony import write_ranks
from ossia.tools import Chromium

WHEEL = "gpt_oss-0.0.9-py3-none-any.whl"
RANKS_URL = "https://openaipublic.blob.core.windows.net/encodings/o200k_base.tiktoken"


@pytest.fixture(scope="session")
def reference_browser(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return the module of the reference's browser tool, from its wheel. It has no types.

    The wheel requires Python 3.12, but its modules run on 3.11.
    """
    folder = pytestconfig.cache.mkdir("reference-browser") if pytestconfig.cache else None
    wheel = Path(folder or tmp_path_factory.mktemp("wheel")) / WHEEL
    if not wheel.exists():
        command = [sys.executable, "-m", "pip", "download", "gpt-oss==0.0.9", "--no-deps"]
        command += ["--python-version=3.12", "--only-binary=:all:", f"--dest={wheel.parent}"]
        process = subprocess.run(command, capture_output=True, text=True, check=False)
        if process.returncode:
            pytest.skip(f"cannot download the reference's wheel: {process.stderr.strip()[-200:]}")
    # tiktoken caches a download under the hash of its URL.
    ranks = write_ranks(tmp_path_factory.mktemp("ranks"))
    name = hashlib.sha1(RANKS_URL.encode(), usedforsecurity=False).hexdigest()
    shutil.copy(ranks, ranks.parent / name)
    os.environ["TIKTOKEN_CACHE_DIR"] = str(ranks.parent)
    sys.path.append(str(wheel))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module("gpt_oss.tools.simple_browser.simple_browser_tool")


@pytest.fixture(scope="session")
async def chromium() -> AsyncGenerator[Chromium]:
    async with Chromium(load_s=4) as chromium:
        await chromium.start()  # before any test lists the running processes
        yield chromium

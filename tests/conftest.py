"""Fixtures and rules for all tests: event loop, requirements, skips, leftover processes."""

from __future__ import annotations

import logging
import os
import select
import shutil
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs
import pytest
from sniffio import current_async_library_cvar

if TYPE_CHECKING:
    # Imported in the functions that need it, so that the tests of the lower folders stay light.
    from ossia.agent import Server

ROOT = Path(__file__).parents[1]
CHILD_END_S = 5.0
"""How long a process may keep running after the test that started it."""


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Use one event loop per session, so that fixtures of any scope can be async."""
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def own_state(tmp_path_factory: pytest.TempPathFactory) -> Generator[None]:
    """Keep tests from writing into the user's journal."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(autouse=True)
def no_event_loop() -> Generator[None]:
    """Let a test start an event loop of its own.

    While an async fixture of the session is open, anyio's plugin says that this thread runs a loop.
    """
    token = current_async_library_cvar.set(None)
    yield
    current_async_library_cvar.reset(token)


@pytest.fixture(autouse=True)
def own_log_level() -> Generator[None]:
    """Undo what the command line does to the log when a test calls it in this process."""
    logger = logging.getLogger("ossia")
    level = logger.level
    yield
    logger.setLevel(level)


# What the markers require. Each function returns why this machine lacks it, or None.


@cache
def no_docker() -> str | None:
    # In a process of its own: docker-py never closes a socket whose connection was refused.
    command = [sys.executable, "-c", "import docker; docker.from_env(timeout=10).close()"]
    process = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    if process.returncode == 0:
        return None
    reason = process.stderr.strip().rpartition("\n")[2]
    return f"no Docker daemon responds ({reason}); run `make test` as root to start one"


@cache
def no_bubblewrap() -> str | None:
    command = ["bwrap", "--ro-bind", "/", "/", "--unshare-all", "true"]
    try:
        process = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except FileNotFoundError:
        return "bwrap is not installed: apt-get install bubblewrap"
    return f"bwrap does not work: {process.stderr.strip()}" if process.returncode else None


@cache
def no_engine() -> str | None:
    from ossia.agent.engines.vllm import engine_python
    from ossia.errors import EngineError

    try:
        engine_python()
    except EngineError as error:
        return str(error)
    return None


@cache
def no_chromium() -> str | None:
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return None if any(map(shutil.which, names)) else "no browser: apt-get install chromium"


@cache
def no_suites() -> str | None:
    folder = platformdirs.user_cache_path("ossia") / "suites"
    pins = (ROOT / ".setup" / "suites.txt").read_text().splitlines()
    packages = [pin for pin in pins if not pin.startswith("#")]
    missing = [package for package in packages if not (folder / package).is_dir()]
    return f"{', '.join(missing)} not found: make suites" if missing else None


MISSING: Mapping[str, Callable[[], str | None]] = {
    "docker": no_docker,
    "bubblewrap": no_bubblewrap,
    "vllm": no_engine,
    "chromium": no_chromium,
    "suites": no_suites,
}


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose marker requires something that this machine lacks, with the reason."""
    for marker, missing in MISSING.items():
        if item.get_closest_marker(marker) and (reason := missing()):
            pytest.skip(f"{marker}: {reason}")


LONG_ID = 60


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name a long text after its parameter, so that the id of its test can be read."""
    is_long = isinstance(val, str | bytes) and len(val) > LONG_ID
    return argname if is_long else None


# With several processes, tests that share something run in the same one.

GROUPS: Mapping[str, str] = {
    "tiny_server": "engine",
    "random_server": "engine",
    "shared": "sandbox",
    "chromium": "browser",
    "reference_browser": "browser",
}
"""The group of the tests that use a fixture: each of these takes long to make, or must be the only
one. The tests of a file that use none of them are a group, too."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Assign the groups for pytest-xdist, the longest first, so that no process ends up alone.

    This must run before the same hook of pytest-xdist, which reads the groups.
    """
    if not hasattr(config, "workerinput"):
        return
    order = list(dict.fromkeys(GROUPS.values()))
    ranks: dict[pytest.Item, int] = {}
    for item in items:
        fixtures: set[str] = set(getattr(item, "fixturenames", ()))
        group = next((group for name, group in GROUPS.items() if name in fixtures), None)
        ranks[item] = len(order) if group is None else order.index(group)
        item.add_marker(pytest.mark.xdist_group(group or item.nodeid.partition("::")[0]))
    items.sort(key=ranks.__getitem__)


# With CI=true a skip is a failure: a test that is skipped everywhere tests nothing.


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a skipped test if CI=true."""
    report = yield
    if not hasattr(report, "wasxfail"):
        forbid_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Fail a file that is skipped as a whole if CI=true."""
    report = yield
    forbid_skip(report)
    return report


def forbid_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Change the report of a skip into a failure if CI=true."""
    if not report.skipped or os.environ.get("CI") != "true":
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
    report.outcome = "failed"
    report.longrepr = f"{report.nodeid} was skipped, but with CI=true every test must run. {reason}"


# A test must stop every process that it starts.


@pytest.fixture(autouse=True)
def no_process_left_running() -> Generator[None]:
    """Fail a test if a process that it started is still running soon after it."""
    before = children()
    yield
    new = {pid: name for pid, name in children().items() if pid not in before}
    running = {pid: name for pid, name in new.items() if keeps_running(pid)}
    assert not running, f"the test ended but left these processes running: {running}"


def children() -> dict[int, str]:
    """Return the ids and names of the direct children of all our threads."""
    pids: set[int] = set()
    for listing in Path("/proc/self/task").glob("*/children"):
        with suppress(FileNotFoundError, ProcessLookupError):  # the thread ended
            pids.update(map(int, listing.read_text().split()))
    found: dict[int, str] = {}
    for pid in pids:
        with suppress(FileNotFoundError, ProcessLookupError):
            found[pid] = Path(f"/proc/{pid}/comm").read_text().strip()
    return found


def keeps_running(pid: int) -> bool:
    """Wait for a child to end; tell whether it is still running after `CHILD_END_S`."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        # A pidfd becomes readable when its process ends.
        return not select.select([handle], [], [], CHILD_END_S)[0]
    finally:
        os.close(handle)


@pytest.fixture(scope="session")
async def tiny_server() -> AsyncGenerator[Server]:
    """Serve the tiny model with vLLM, once for all tests of the session."""
    from examples.tiny_gpt_oss import checkpoint
    from ossia.agent import open_server

    async with open_server(checkpoint()) as server:
        yield server

"""What holds for every test: its event loop, what it may lack, that it leaves nothing running."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    # What needs them imports them when it runs: the tests of the lower folders load nothing heavy.
    from ossia.agent import Server

CHILD_END_S = 5.0
"""How long a process that a test started may outlive it, in all."""


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """One event loop for the session, so that fixtures of any scope can be async."""
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def own_state(tmp_path_factory: pytest.TempPathFactory) -> Generator[None]:
    """No test writes into the user's journal."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


# What a marker asks of the machine. Each answers why it cannot be had here, or None.


@cache
def no_docker() -> str | None:
    import docker
    from docker.errors import DockerException

    try:
        client = docker.from_env(timeout=10)
    except DockerException as error:
        return f"no Docker daemon answers ({error}); `make test` starts one, as root"
    client.close()
    return None


@cache
def no_bubblewrap() -> str | None:
    command = ["bwrap", "--ro-bind", "/", "/", "--unshare-all", "true"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except FileNotFoundError:
        return "no bwrap here: apt-get install bubblewrap"
    return f"bwrap cannot work here: {done.stderr.strip()}" if done.returncode else None


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
    return None if any(map(shutil.which, names)) else "no browser here: apt-get install chromium"


LACKS: Mapping[str, Callable[[], str | None]] = {
    "docker": no_docker,
    "bubblewrap": no_bubblewrap,
    "vllm": no_engine,
    "chromium": no_chromium,
}


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose marker asks for what this machine does not have, and say why."""
    for marker, lacks in LACKS.items():
        if item.get_closest_marker(marker) and (why := lacks()):
            pytest.skip(f"{marker}: {why}")


# A test that is skipped everywhere tests nothing: with CI=true a skip is a failure.


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skipped test into a failed one where CI asks for it."""
    report = yield
    if not hasattr(report, "wasxfail"):
        forbid_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for a file that is skipped as a whole."""
    report = yield
    forbid_skip(report)
    return report


def forbid_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Make a failure of a report that tells of a skip, if CI=true."""
    if not report.skipped or os.environ.get("CI") != "true":
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
    report.outcome = "failed"
    report.longrepr = f"{report.nodeid} did not run, and with CI=true every test must. {reason}"


# Nothing outlives its block, so no process outlives the test that started it.


@pytest.fixture(autouse=True)
def no_process_left_behind() -> Generator[None]:
    """Fail a test when a process that it started is alive long after its end."""
    before = children()
    yield
    left = {pid: name for pid, name in children().items() if pid not in before and lives(pid)}
    assert not left, f"the test ended, and these processes of its did not: {left}"


def children() -> dict[int, str]:
    """Process ids and names of our direct children, of all our threads."""
    pids: set[int] = set()
    for listing in Path("/proc/self/task").glob("*/children"):
        with suppress(FileNotFoundError, ProcessLookupError):  # threads end, too
            pids.update(map(int, listing.read_text().split()))
    found: dict[int, str] = {}
    for pid in pids:
        with suppress(FileNotFoundError, ProcessLookupError):
            found[pid] = Path(f"/proc/{pid}/comm").read_text().strip()
    return found


def lives(pid: int) -> bool:
    """Whether a child is still running after it was given time to end."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        # A pidfd can be read once its process has ended.
        return not select.select([handle], [], [], CHILD_END_S)[0]
    finally:
        os.close(handle)


@pytest.fixture(scope="session")
async def tiny_server() -> AsyncGenerator[Server]:
    """A vLLM server of the tiny model; one serves the whole session, since it batches."""
    from examples.tiny_gpt_oss import checkpoint
    from ossia.agent import open_server

    async with open_server(checkpoint()) as server:
        yield server

"""Docker sandboxes: the options of the container, and failures of the daemon."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

import json
import os
import select
import socket
import sys
import tempfile
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import anyio
import docker
import pytest
from docker.errors import NotFound

from ossia.errors import SandboxDiedError, SandboxImageError, SandboxUnavailableError
from ossia.sandbox import DockerSandbox, image_tag, open_sandbox

pytestmark = [pytest.mark.docker, pytest.mark.usefixtures("image")]


class Relay:
    """A TCP port that leads to the daemon's socket, like a remote daemon; it can be cut off."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"
        self._ends: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def cut(self) -> None:
        """Close every connection, and accept no more."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for end in self._ends:
            end.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                daemon = socket.socket(socket.AF_UNIX)
                daemon.connect("/var/run/docker.sock")
                self._ends += [client, daemon]
                self._threads.append(threading.Thread(target=self._copy, args=(client, daemon)))
                self._threads[-1].start()

    def _copy(self, client: socket.socket, daemon: socket.socket) -> None:
        with suppress(OSError):
            while True:
                for ready in select.select([client, daemon], [], [])[0]:
                    data = ready.recv(65536)
                    if not data:
                        client.shutdown(socket.SHUT_RDWR)
                        daemon.shutdown(socket.SHUT_RDWR)
                        return
                    (daemon if ready is client else client).sendall(data)


@contextmanager
def remote_daemon(monkeypatch: pytest.MonkeyPatch) -> Generator[Relay]:
    relay = Relay()
    monkeypatch.setenv("DOCKER_HOST", relay.url)
    try:
        yield relay
    finally:
        relay.cut()


def is_gone(*paths: str | Path) -> bool:
    return not any(map(os.path.lexists, paths))


def inspect(sandbox: DockerSandbox) -> dict[str, Any]:
    """Return what the daemon says about a sandbox's container."""
    client = docker.from_env()
    try:
        return client.containers.get(sandbox.name).attrs
    finally:
        client.close()


async def test_a_container_is_hardened_by_default() -> None:
    async with DockerSandbox() as sandbox:
        attributes = inspect(sandbox)
        done = await sandbox.execute("import os; os.path.exists('/run/ossia-control/kernel.sock')")
        assert done.result == "False", "the socket file is removed after the connection"
    host: dict[str, Any] = attributes["HostConfig"]
    expected = {
        "NetworkMode": "none",
        "ReadonlyRootfs": True,
        "Privileged": False,
        "CapAdd": None,
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges:true"],
        "Memory": 2048 * 1024 * 1024,
        "MemorySwap": 2048 * 1024 * 1024,
        "NanoCpus": 2_000_000_000,
        "PidsLimit": 128,
        "AutoRemove": True,
        "PidMode": "",
        "IpcMode": "private",
        "Devices": None,
    }
    assert {key: host[key] for key in expected} == expected
    assert host["LogConfig"]["Type"] == "none"
    (bind,) = host["Binds"]
    folder, target, mode = bind.split(":")
    assert (target, mode) == ("/run/ossia-control", "ro")
    assert is_gone(folder)
    assert set(host["Tmpfs"]) == {"/tmp", "/mnt/data"}
    assert {limit["Name"] for limit in host["Ulimits"]} == {"nofile", "fsize", "core"}
    config: dict[str, Any] = attributes["Config"]
    assert config["User"] == "65532:65532"
    assert config["Image"] == image_tag()
    assert {"ossia.sandbox", "ossia.owner", "ossia.expires"} <= set(config["Labels"])


async def test_options_reach_the_container() -> None:
    limited = DockerSandbox(memory_mib=256, cpus=0.5, pids=32, open_files=128, runtime="runc")
    async with limited as sandbox:
        host: dict[str, Any] = inspect(sandbox)["HostConfig"]
        assert (host["Memory"], host["NanoCpus"], host["PidsLimit"]) == (1 << 28, 5 * 10**8, 32)
        assert host["Runtime"] == "runc"
        limits = await sandbox.execute(
            "import resource; resource.getrlimit(resource.RLIMIT_NOFILE)"
        )
    assert limits.result == "(128, 128)"


async def test_without_the_control_socket_the_attached_stream_is_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_binds(sandbox: DockerSandbox, control_folder: Path | None) -> list[str]:
        return []

    monkeypatch.setattr(DockerSandbox, "_binds", no_binds)
    async with DockerSandbox() as sandbox:
        assert sandbox._kernel is not None
        assert sandbox._kernel._channel is sandbox._attached
        assert (await sandbox.execute("print('x' * 100_000); 6 * 7")).result == "42"


async def test_a_temporary_folder_with_a_long_path_works(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / ("long" * 20)
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    async with DockerSandbox() as sandbox:
        assert (await sandbox.execute("6 * 7")).result == "42"
    assert is_gone(*folder.glob("*"))


async def test_the_stderr_of_a_container_that_fails_to_start_is_reported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def failing_command(python: str = "", control_socket: str | None = None) -> list[str]:
        return ["sh", "-c", "echo 'no python today' >&2"]

    monkeypatch.setattr("ossia.sandbox.backends.docker.boot_command", failing_command)
    with pytest.raises(SandboxDiedError, match=r"died during its start.*no python today"):
        await DockerSandbox().__aenter__()


@pytest.mark.parametrize(("gpus", "count"), [("all", -1), (2, 2)])
def test_gpus_are_requested_from_the_daemon(gpus: int | Literal["all"], count: int) -> None:
    (request,) = DockerSandbox(gpus=gpus)._host_config()["device_requests"]
    assert (request["Count"], request["Capabilities"]) == (count, [["gpu"]])


async def test_a_missing_image_is_reported_with_the_command_that_builds_it() -> None:
    with pytest.raises(SandboxImageError, match=r"no image 'nosuch:tag'.*`ossia sandbox build`"):
        await DockerSandbox(image="nosuch:tag").__aenter__()


async def test_an_unknown_runtime_is_named_in_the_error() -> None:
    with pytest.raises(SandboxUnavailableError, match="nosuchruntime"):
        await DockerSandbox(runtime="nosuchruntime").__aenter__()


async def test_a_missing_daemon_is_reported_with_the_alternatives(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nothing.sock")
    with pytest.raises(SandboxUnavailableError, match=r"no such file.*dockerd.*bubblewrap"):
        await DockerSandbox().__aenter__()


@pytest.mark.parametrize("chosen_by", ["DOCKER_CONTEXT", "currentContext"])
async def test_the_daemon_of_the_current_context_is_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, chosen_by: str
) -> None:
    with remote_daemon(monkeypatch) as relay:
        monkeypatch.delenv("DOCKER_HOST")
        monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
        current = {"currentContext": "far"} if chosen_by == "currentContext" else {}
        (tmp_path / "config.json").write_text(json.dumps(current))
        if not current:
            monkeypatch.setenv(chosen_by, "far")
        # The files that `docker context create far --docker host=tcp://…` writes.
        meta = tmp_path / "contexts/meta" / sha256(b"far").hexdigest() / "meta.json"
        meta.parent.mkdir(parents=True)
        docker = {"Host": relay.url, "SkipTLSVerify": False}
        context = {"Name": "far", "Metadata": {}, "Endpoints": {"docker": docker}}
        meta.write_text(json.dumps(context))
        async with DockerSandbox() as sandbox:
            assert sandbox._client is not None
            assert sandbox._client.api.base_url == relay.url.replace("tcp", "http")
            assert (await sandbox.execute("6 * 7")).result == "42"


async def test_an_unknown_context_is_named_in_the_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONTEXT", "nosuchcontext")
    with pytest.raises(SandboxUnavailableError, match="'nosuchcontext'"):
        await DockerSandbox().__aenter__()


async def test_a_remote_daemon_works(monkeypatch: pytest.MonkeyPatch) -> None:
    with remote_daemon(monkeypatch):
        async with DockerSandbox() as sandbox:
            assert (await sandbox.execute("6 * 7")).result == "42"
            await sandbox.put("far", b"away" * 100_000)
            assert len(await sandbox.get("far")) == 400_000
        with pytest.raises(SandboxUnavailableError, match="local daemon"):
            await DockerSandbox(network="egress").__aenter__()


async def test_a_daemon_that_disappears_during_a_cell_is_reported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with remote_daemon(monkeypatch) as relay:
        sandbox = await DockerSandbox().__aenter__()
        name = sandbox.name

        def cut_off(stream: str, text: str) -> None:
            relay.cut()

        with (
            anyio.fail_after(50),
            pytest.raises(SandboxDiedError, match="no Docker daemon answers"),
        ):
            await sandbox.execute("print('go')\nwhile True: pass", on_output=cut_off)
        await sandbox.__aexit__(None, None, None)
    monkeypatch.delenv("DOCKER_HOST")
    # The container ends when its channel closes.
    client = docker.from_env()
    try:
        with suppress(NotFound):
            client.containers.get(name).wait(condition="removed", timeout=30)
    finally:
        client.close()


async def test_a_killed_container_is_restarted_and_the_loss_is_reported() -> None:
    async with DockerSandbox() as sandbox:
        await sandbox.put("file", b"x")
        client = docker.from_env()
        client.containers.get(sandbox.name).kill()
        client.close()
        done = await sandbox.execute("1")
        assert done.state_lost
        assert done.error is not None
        assert done.error.name == "SandboxDied"
        assert "variables and files are lost" in done.error.message
        assert (await sandbox.execute("import os; os.listdir()")).result == "[]"


async def test_two_sandboxes_at_once_are_separate() -> None:
    async with open_sandbox() as first, open_sandbox() as second:
        await first.execute("x = 1")
        assert (await second.execute("'x' in globals()")).result == "False"


async def test_a_container_ends_when_its_caller_is_killed() -> None:
    code = (
        "import anyio, os\nfrom ossia.sandbox import DockerSandbox\n"
        "async def main():\n    s = await DockerSandbox().__aenter__()\n"
        "    print(s.name, flush=True)\n    os.kill(os.getpid(), 9)\nanyio.run(main)"
    )
    done = await anyio.run_process([sys.executable, "-c", code], check=False, stderr=None)
    name = done.stdout.decode().strip()
    assert name.startswith("ossia-")
    client = docker.from_env()
    try:
        with suppress(NotFound):
            client.containers.get(name).wait(condition="removed", timeout=30)
        with pytest.raises(NotFound):
            client.containers.get(name)
    finally:
        client.close()

"""A managed server: it runs inside the block, and is stopped when the block ends."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import anyio
import httpx
import pytest
from anyio.lowlevel import checkpoint

from ossia.agent import open_server
from ossia.agent.engines.vllm import engine_python
from ossia.agent.engines.vllm.launch import RETENTION_OPTION, has_option, require_free_port
from ossia.errors import EngineError, EngineUnavailableError, ServerStartError

MakePython = Callable[[str], Path]


@pytest.fixture
def fake_python(tmp_path: Path) -> MakePython:
    """Return a function that creates a fake interpreter, which runs `body` with a `port`."""

    def make(body: str) -> Path:
        script = tmp_path / "python"
        port = "sys.argv[sys.argv.index('--port') + 1]"
        script.write_text(f"#!{sys.executable}\nimport sys\nport = int({port})\n{body}")
        script.chmod(0o755)
        return script

    return make


HEALTHY = """
import http.server, os, subprocess
child = subprocess.Popen(["sleep", "1000"])
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/health" else 404)
        self.end_headers()
        self.wfile.write(f"{os.getpid()} {child.pid}".encode())
http.server.HTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_the_server_and_its_children_end_with_the_block(
    fake_python: MakePython,
) -> None:
    async with open_server("/models/tiny", python=fake_python(HEALTHY)) as server:
        assert server.model == "tiny"
        async with httpx.AsyncClient(trust_env=False) as client:
            pids = (await client.get(server.url)).text.split()
        assert all(is_alive(int(pid)) for pid in pids)
        assert server.log.exists()
    with anyio.fail_after(10):
        while any(is_alive(int(pid)) for pid in pids):
            await checkpoint()
    assert not server.log.exists()


async def test_a_server_that_exits_reports_the_end_of_its_log(fake_python: MakePython) -> None:
    body = 'print("line one"); print("ValueError: no such model", file=sys.stderr); sys.exit(3)'
    with pytest.raises(ServerStartError, match="exited with status 3") as raised:
        async with open_server("/models/tiny", python=fake_python(body)):
            pytest.fail("the server exited")
    assert raised.value.fault == "ValueError: no such model"
    assert "line one" in raised.value.log


async def test_a_killed_server_reports_the_signal(fake_python: MakePython) -> None:
    body = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    with pytest.raises(ServerStartError, match="SIGKILL, perhaps out of memory"):
        async with open_server("/models/tiny", python=fake_python(body)):
            pytest.fail("the server was killed")


async def test_watch_raises_when_the_server_exits(fake_python: MakePython) -> None:
    body = HEALTHY.replace(
        "self.end_headers()",
        "self.end_headers(); self.path == '/die' and (child.kill(), os._exit(7))",
    )
    async with (
        open_server("/models/tiny", python=fake_python(body)) as server,
        httpx.AsyncClient(trust_env=False, base_url=server.url) as client,
    ):
        await client.get("/die")
        with anyio.fail_after(10), pytest.raises(EngineUnavailableError, match="status 7"):
            await server.watch()


async def test_an_option_is_passed_only_to_a_vllm_that_has_it(tmp_path: Path) -> None:
    package = tmp_path / "vllm" / "engine"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").write_text("raise SystemExit('imported')")
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={tmp_path} exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    (package / "arg_utils.py").write_text('parser.add_argument("--port")')
    assert not await has_option(python, RETENTION_OPTION)
    (package / "arg_utils.py").write_text(f'parser.add_argument("{RETENTION_OPTION}")')
    assert await has_option(python, RETENTION_OPTION)
    assert not await has_option("/bin/false", RETENTION_OPTION)


async def test_environment_variables_reach_the_server(fake_python: MakePython) -> None:
    body = 'import os; print(os.environ["COLOR"]); sys.exit(1)'
    environment = {"COLOR": "green"}
    with pytest.raises(ServerStartError) as raised:
        async with open_server("/m", python=fake_python(body), environment=environment):
            pytest.fail("the server exits at once")
    assert raised.value.log == "green"


async def test_a_server_that_never_becomes_healthy_is_stopped(fake_python: MakePython) -> None:
    body = 'import time\nprint("loading", flush=True)\ntime.sleep(1000)'
    with pytest.raises(ServerStartError, match="did not become healthy within"):
        async with open_server("/models/tiny", python=fake_python(body), start_s=1.0):
            pytest.fail("the server is stuck")


async def test_a_port_in_use_is_reported_before_anything_starts() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(EngineError, match=f"port {port} is not available"):
            async with open_server("/models/tiny", port=port):
                pytest.fail("the port is in use")
    assert require_free_port(port) == port


def test_a_variable_sets_the_engine_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OSSIA_ENGINE_PYTHON", sys.executable)
    assert engine_python() == Path(sys.executable)
    monkeypatch.setenv("OSSIA_ENGINE_PYTHON", "/no/such/python")
    with pytest.raises(EngineError, match="/no/such/python"):
        engine_python()


def test_a_missing_vllm_is_reported_with_ways_to_install_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("OSSIA_ENGINE_PYTHON", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(EngineError, match=r"pip install 'ossia\[vllm\]'"):
        engine_python()


def test_the_path_of_the_cached_engine_survives_a_new_engine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("OSSIA_ENGINE_PYTHON", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    engines = tmp_path / "ossia" / "engine"
    (engines / "one" / "bin").mkdir(parents=True)
    (engines / "one" / "bin" / "python").symlink_to(sys.executable)
    (engines / "current").symlink_to("one")
    assert engine_python() == engines / "one" / "bin" / "python"


async def test_the_server_environment_needs_no_network(fake_python: MakePython) -> None:
    body = 'import os; print(os.environ["TIKTOKEN_ENCODINGS_BASE"], os.environ["HF_HUB_OFFLINE"])\n'
    with pytest.raises(ServerStartError) as raised:
        async with open_server(Path.cwd(), python=fake_python(body + "sys.exit(1)")):
            pytest.fail("the server exits at once")
    folder, offline = raised.value.log.split()
    assert (Path(folder) / "o200k_base.tiktoken").stat().st_size == 3_613_922
    assert offline == "1"


async def test_a_tiny_model_uses_one_thread(
    fake_python: MakePython, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ossia.agent.engines.vllm.launch.has_gpu", lambda: False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    python = fake_python('import os; print(os.environ.get("OMP_NUM_THREADS"))\nsys.exit(1)')
    weights = tmp_path / "model.safetensors"
    weights.touch()
    for size, threads in ((2**20, "1"), (2**30, "None")):
        os.truncate(weights, size)
        with pytest.raises(ServerStartError) as raised:
            async with open_server(tmp_path, python=python):
                pytest.fail("the server exits at once")
        assert raised.value.log == threads

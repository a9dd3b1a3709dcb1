"""A managed server: it is there when the block begins, and gone when it ends."""

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
from ossia.agent.engines.vllm.server import RETENTION, claim_port, engine_python, takes
from ossia.errors import EngineError, EngineUnavailableError, ServerStartError

MakePython = Callable[[str], Path]


@pytest.fixture
def fake_python(tmp_path: Path) -> MakePython:
    """Makes an interpreter that runs `body` in place of vLLM; `port` is where it shall listen."""

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


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_a_server_and_what_it_started_are_gone_after_the_block(
    fake_python: MakePython,
) -> None:
    async with open_server("/models/tiny", python=fake_python(HEALTHY)) as server:
        assert server.model == "tiny"
        async with httpx.AsyncClient(trust_env=False) as client:
            pids = (await client.get(server.url)).text.split()
        assert all(alive(int(pid)) for pid in pids)
        assert server.log.exists()
    with anyio.fail_after(10):
        while any(alive(int(pid)) for pid in pids):
            await checkpoint()
    assert not server.log.exists()


async def test_a_server_that_dies_shows_the_end_of_its_log(fake_python: MakePython) -> None:
    dying = 'print("line one"); print("ValueError: no such model", file=sys.stderr); sys.exit(3)'
    with pytest.raises(ServerStartError, match="ended with status 3") as raised:
        async with open_server("/models/tiny", python=fake_python(dying)):
            pytest.fail("the server died")
    assert raised.value.fault == "ValueError: no such model"
    assert "line one" in raised.value.log


async def test_a_server_that_is_killed_says_by_what(fake_python: MakePython) -> None:
    killed = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    with pytest.raises(ServerStartError, match="SIGKILL, perhaps for want of memory"):
        async with open_server("/models/tiny", python=fake_python(killed)):
            pytest.fail("the server was killed")


async def test_whoever_watches_a_server_is_told_that_it_ended(fake_python: MakePython) -> None:
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


async def test_an_option_is_given_to_a_vllm_that_knows_it(tmp_path: Path) -> None:
    package = tmp_path / "vllm" / "engine"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").write_text("raise SystemExit('imported')")
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={tmp_path} exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    (package / "arg_utils.py").write_text('parser.add_argument("--port")')
    assert not await takes(str(python), RETENTION)
    (package / "arg_utils.py").write_text(f'parser.add_argument("{RETENTION}")')
    assert await takes(str(python), RETENTION)
    assert not await takes("/bin/false", RETENTION)


async def test_variables_reach_the_server(fake_python: MakePython) -> None:
    tell = 'import os; print(os.environ["ANSWER"]); sys.exit(1)'
    given = {"ANSWER": "forty-two"}
    with pytest.raises(ServerStartError) as raised:
        async with open_server("/m", python=fake_python(tell), environment=given):
            pytest.fail("the server only tells")
    assert raised.value.log == "forty-two"


async def test_a_server_that_never_is_healthy_is_ended(fake_python: MakePython) -> None:
    stuck = 'import time\nprint("loading", flush=True)\ntime.sleep(1000)'
    with pytest.raises(ServerStartError, match="not healthy after"):
        async with open_server("/models/tiny", python=fake_python(stuck), start_s=1.0):
            pytest.fail("the server is stuck")


async def test_a_port_that_is_taken_is_said_before_anything_starts() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(EngineError, match=f"port {port} cannot be taken"):
            async with open_server("/models/tiny", port=port):
                pytest.fail("the port is taken")
    assert claim_port(port) == port


def test_the_engine_s_interpreter_can_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OSSIA_ENGINE_PYTHON", sys.executable)
    assert engine_python() == Path(sys.executable)
    monkeypatch.setenv("OSSIA_ENGINE_PYTHON", "/no/such/python")
    with pytest.raises(EngineError, match="/no/such/python"):
        engine_python()


def test_no_vllm_at_all_is_answered_with_the_ways_to_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("OSSIA_ENGINE_PYTHON", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(EngineError, match=r"pip install 'ossia\[vllm\]'"):
        engine_python()


def test_the_cached_engine_stays_the_same_when_another_takes_its_place(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("OSSIA_ENGINE_PYTHON", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    engines = tmp_path / "ossia" / "engine"
    (engines / "one" / "bin").mkdir(parents=True)
    (engines / "one" / "bin" / "python").symlink_to(sys.executable)
    (engines / "current").symlink_to("one")
    assert engine_python() == engines / "one" / "bin" / "python"


async def test_the_server_s_environment_needs_no_network(fake_python: MakePython) -> None:
    tell = 'import os; print(os.environ["TIKTOKEN_ENCODINGS_BASE"], os.environ["HF_HUB_OFFLINE"])\n'
    with pytest.raises(ServerStartError) as raised:
        async with open_server(Path.cwd(), python=fake_python(tell + "sys.exit(1)")):
            pytest.fail("the server only tells")
    folder, offline = raised.value.log.split()
    assert (Path(folder) / "o200k_base.tiktoken").stat().st_size == 3_613_922
    assert offline == "1"


async def test_a_tiny_model_is_sampled_by_one_thread(
    fake_python: MakePython, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ossia.agent.engines.vllm.server.has_gpu", lambda: False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    python = fake_python('import os; print(os.environ.get("OMP_NUM_THREADS"))\nsys.exit(1)')
    weights = tmp_path / "model.safetensors"
    weights.touch()
    for size, threads in ((2**20, "1"), (2**30, "None")):
        os.truncate(weights, size)
        with pytest.raises(ServerStartError) as raised:
            async with open_server(tmp_path, python=python):
                pytest.fail("the server only tells")
        assert raised.value.log == threads

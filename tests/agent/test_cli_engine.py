"""`ossia engine`: what is served when nothing is named, and what is said when it dies."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import anyio
import pytest

from ossia.agent.engines.vllm.hardware import checked, default_model, has_gpu
from ossia.errors import EngineError

DEAD_AT_ONCE = "import sys; print('ValueError: too large a window'); sys.exit(1)"
HEALTHY_ONCE = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
port = int(sys.argv[sys.argv.index("--port") + 1])
http.server.HTTPServer(("127.0.0.1", port), Handler).handle_request()
print("RuntimeError: out of memory")
sys.exit(3)
"""


async def engine(tmp_path: Path, body: str, *words: str) -> tuple[int, str]:
    """Run `ossia engine` with a program in place of vLLM; returns its status and what it says."""
    script = tmp_path / "python"
    script.write_text(f"#!{sys.executable}\n{body}")
    script.chmod(0o755)
    command = [sys.executable, "-c", "from ossia.agent.cli import main; main()", "engine", *words]
    own = {"OSSIA_ENGINE_PYTHON": str(script), "XDG_CACHE_HOME": str(tmp_path)}
    with anyio.fail_after(50):
        done = await anyio.run_process(command, env={**os.environ, **own}, check=False)
    return done.returncode, " ".join((done.stdout + done.stderr).decode().split())


@pytest.fixture
def model(tmp_path: Path) -> str:
    (tmp_path / "config.json").write_text("{}")
    return str(tmp_path)


async def test_a_server_that_cannot_start_says_why(tmp_path: Path, model: str) -> None:
    status, said = await engine(tmp_path, DEAD_AT_ONCE, model, "--port", "0")
    assert status == 1
    assert "ended with status 1: ValueError: too large a window" in said
    assert "Traceback" not in said


async def test_a_server_that_dies_later_ends_the_command(tmp_path: Path, model: str) -> None:
    status, said = await engine(tmp_path, HEALTHY_ONCE, model, "--port", "0")
    assert status == 1
    assert "status 3: RuntimeError: out of memory" in said


async def test_a_folder_without_a_model_is_told_at_once(tmp_path: Path) -> None:
    status, said = await engine(tmp_path, DEAD_AT_ONCE, str(tmp_path / "none"))
    assert status == 1
    assert "there is no config.json in it" in said


def test_a_name_is_left_to_vllm_and_a_path_is_looked_at(tmp_path: Path) -> None:
    assert checked("openai/gpt-oss-20b") == "openai/gpt-oss-20b"
    (tmp_path / "config.json").write_text("{}")
    assert checked(str(tmp_path)) == tmp_path
    with pytest.raises(EngineError, match="is no model"):
        checked("./nowhere")


def test_without_a_gpu_the_tiny_model_is_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    if has_gpu():
        assert default_model() == "openai/gpt-oss-20b"
        return
    with pytest.raises(EngineError, match="name a model"):
        default_model()
    made = tmp_path / "ossia" / "models" / "abc" / "tiny-gpt-oss"
    made.mkdir(parents=True)
    assert default_model() == str(made)

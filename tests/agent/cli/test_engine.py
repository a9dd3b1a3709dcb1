"""`ossia engine`: the default model, and the report when the server exits."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import anyio
import pytest

from ossia.agent.engines.vllm.hardware import default_model, has_gpu, require_checkpoint
from ossia.errors import EngineError

EXITS_AT_ONCE = "import sys; print('ValueError: the context is too long'); sys.exit(1)"
EXITS_WHEN_HEALTHY = """
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


async def run_engine(tmp_path: Path, body: str, *arguments: str) -> tuple[int, str]:
    """Run `ossia engine` with `body` instead of vLLM; return its exit status and output."""
    script = tmp_path / "python"
    script.write_text(f"#!{sys.executable}\n{body}")
    script.chmod(0o755)
    command = [
        sys.executable,
        "-c",
        "from ossia.agent.cli import main; main()",
        "engine",
        *arguments,
    ]
    variables = {"OSSIA_ENGINE_PYTHON": str(script), "XDG_CACHE_HOME": str(tmp_path)}
    with anyio.fail_after(50):
        done = await anyio.run_process(command, env={**os.environ, **variables}, check=False)
    return done.returncode, " ".join((done.stdout + done.stderr).decode().split())


@pytest.fixture
def model(tmp_path: Path) -> str:
    (tmp_path / "config.json").write_text("{}")
    return str(tmp_path)


async def test_a_server_that_cannot_start_reports_the_cause(tmp_path: Path, model: str) -> None:
    status, output = await run_engine(tmp_path, EXITS_AT_ONCE, model, "--port", "0")
    assert status == 1
    assert "exited with status 1: ValueError: the context is too long" in output
    assert "Traceback" not in output


async def test_the_command_ends_when_the_server_exits(tmp_path: Path, model: str) -> None:
    status, output = await run_engine(tmp_path, EXITS_WHEN_HEALTHY, model, "--port", "0")
    assert status == 1
    assert "status 3: RuntimeError: out of memory" in output


async def test_a_folder_without_a_model_is_reported_at_once(tmp_path: Path) -> None:
    status, output = await run_engine(tmp_path, EXITS_AT_ONCE, str(tmp_path / "none"))
    assert status == 1
    assert "it has no config.json" in output


def test_a_model_name_is_kept_and_a_path_is_checked(tmp_path: Path) -> None:
    assert require_checkpoint("openai/gpt-oss-20b") == "openai/gpt-oss-20b"
    (tmp_path / "config.json").write_text("{}")
    assert require_checkpoint(str(tmp_path)) == tmp_path
    with pytest.raises(EngineError, match="is not a model"):
        require_checkpoint("./nowhere")


def test_without_a_gpu_the_default_is_the_tiny_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    if has_gpu():
        assert default_model() == "openai/gpt-oss-20b"
        return
    with pytest.raises(EngineError, match="name a model"):
        default_model()
    checkpoint = tmp_path / "ossia" / "models" / "abc" / "tiny-gpt-oss"
    checkpoint.mkdir(parents=True)
    assert default_model() == str(checkpoint)

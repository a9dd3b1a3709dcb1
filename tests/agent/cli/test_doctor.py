"""`ossia doctor`: each check, and what it reports when something is missing."""

from __future__ import annotations

import sys
from typing import Literal

import anyio
import pytest

from ossia.agent import VLLMEngine
from ossia.agent.cli.doctor import check_grammars, check_server, check_token_ids
from ossia.agent.testing import Reply, open_fake_vllm
from ossia.errors import EngineError, EngineProtocolError, EngineUnavailableError

ONE = Reply(turn="<|channel|>")


async def test_the_server_check_names_the_model_and_its_window() -> None:
    async with open_fake_vllm([], model="gpt-oss-20b", window=131_072) as server:
        report = await check_server(VLLMEngine(server.url))
    assert report == f"gpt-oss-20b at {server.url}, a window of 131,072 tokens"
    with pytest.raises(EngineUnavailableError, match="ossia engine"):
        await check_server(VLLMEngine(server.url, absence_s=0.0))


async def test_the_token_check_samples_token_ids() -> None:
    async with open_fake_vllm([ONE]) as server:
        report = await check_token_ids(VLLMEngine(server.url))
    assert "<|channel|>" in report
    async with open_fake_vllm([Reply(turn="<|channel|>", token_ids=False)]) as server:
        with pytest.raises(EngineProtocolError, match="update the server"):
            await check_token_ids(VLLMEngine(server.url))


@pytest.mark.parametrize("grammars", ["ignored", "refused"])
async def test_the_grammar_check_reports_a_server_that_ignores_or_refuses_them(
    grammars: Literal["ignored", "refused"],
) -> None:
    async with open_fake_vllm([]) as server:
        assert "obeyed" in await check_grammars(VLLMEngine(server.url))
    async with open_fake_vllm([], grammars=grammars) as server:
        with pytest.raises(EngineError, match="update the server"):
            await check_grammars(VLLMEngine(server.url))


@pytest.mark.timeout(200)
@pytest.mark.parametrize("has_server", [True, False])
async def test_the_command_lists_every_check(has_server: bool) -> None:
    async with open_fake_vllm([ONE], grammars="ignored") as server:
        url = server.url if has_server else "http://127.0.0.1:1"
        program = "from ossia.agent.cli import main; main()"
        command = [sys.executable, "-c", program, "doctor", "--engine", url]
        with anyio.fail_after(180):
            done = await anyio.run_process(command, check=False)
    lines = done.stdout.decode().splitlines()
    report = {line[2:].split(":")[0]: line[0] for line in lines if line[0] in "✓✗"}
    assert {"vLLM on this machine", "sandbox, Docker", "sandbox, bubblewrap", "browser"} <= set(
        report
    )
    assert report["server"] == ("✓" if has_server else "✗")
    assert report.get("grammars") == ("✗" if has_server else None)
    assert done.returncode == (0 if has_server else 1)
    assert b"Traceback" not in done.stdout + done.stderr

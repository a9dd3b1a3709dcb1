"""`ossia run`, started as a process of its own."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from subprocess import CompletedProcess

import anyio
import pytest

from ossia.agent.testing import FakeVLLM, Reply, answer_turn, call_turn, open_fake_vllm

CALL = call_turn("get_weather", city="Paris", reasoning="I need the weather.")
ANSWER = answer_turn("It is clear.")
TOOL = '''
def get_weather(city: str) -> str:
    """Get the weather.\x1b[31m"""
    return f"clear in {city} \\x1b]0;evil\\x07"
'''


async def ossia(*words: str, stdin: bytes = b"") -> CompletedProcess[bytes]:
    """Run a command in a process of its own. Its output is not wrapped."""
    command = [sys.executable, "-c", "from ossia.agent.cli import main; main()", *words]
    with anyio.fail_after(50):
        return await anyio.run_process(command, input=stdin, check=False)


async def run(server: FakeVLLM, *words: str, stdin: bytes = b"") -> CompletedProcess[bytes]:
    return await ossia("run", *words, "--engine", server.url, stdin=stdin)


@pytest.fixture
def tool(tmp_path: Path) -> str:
    file = tmp_path / "weather.py"
    file.write_text(TOOL)
    return f"{file}:get_weather"


def replies() -> Sequence[Reply]:
    return [Reply(turn=CALL), Reply(turn=ANSWER, cached_tokens=128)]


async def test_a_run_shows_reasoning_call_answer_and_cost(tool: str) -> None:
    async with open_fake_vllm(replies()) as server:
        done = await run(server, "How is the weather?", "--tool", tool)
    lines = done.stdout.decode().splitlines()
    assert lines[:5] == [
        "I need the weather.",
        "→ functions.get_weather",
        '{"city": "Paris"}',
        "← clear in Paris ␛]0;evil",
        "It is clear.",
    ], done.stderr.decode()
    assert lines[5].startswith("2 steps · 1 call · ")
    assert "(128 cached)" in lines[5]
    assert b"\x1b" not in done.stdout, "no control character of a tool reaches the terminal"


async def test_quiet_prints_only_the_answer(tool: str) -> None:
    async with open_fake_vllm(replies()) as server:
        done = await run(server, "-", "--tool", tool, "--quiet", stdin=b"How is the weather?")
    assert done.stdout.decode() == "It is clear.\n"


async def test_json_prints_one_event_per_line(tool: str) -> None:
    async with open_fake_vllm(replies()) as server:
        done = await run(server, "How is the weather?", "--tool", tool, "--json")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["kind"] for event in events][:3] == [
        "run_started",
        "step_started",
        "reasoning_delta",
    ]
    assert events[-1]["kind"] == "run_finished"
    assert events[-1]["result"]["output"] == "It is clear."


async def test_the_options_reach_the_engine() -> None:
    options = ["--temperature", "0.5", "--seed", "3", "--reasoning", "high", "-i", "Be brief."]
    async with open_fake_vllm([Reply(turn=ANSWER)]) as server:
        done = await run(server, "Hi", *options)
    assert done.returncode == 0, done.stderr.decode()
    (request,) = server.requests
    assert (request["temperature"], request["seed"]) == (0.5, 3)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--tool", "phyton"], "no tool named 'phyton'; known: python"),
        (["--tool", "nowhere.py:f"], "nowhere.py:f': "),
        (["--model", "gpt-oss-20b"], "it serves: gpt-oss-fake"),
        (["--reasoning", "extreme"], "'extreme' is not one of"),
    ],
)
async def test_a_wrong_option_gives_one_message(words: list[str], expected: str) -> None:
    async with open_fake_vllm([]) as server:
        done = await run(server, "Hi", *words)
    message = " ".join(done.stderr.decode().split())
    assert expected in message
    assert "Traceback" not in message
    assert done.returncode != 0


async def test_the_error_for_a_missing_server_says_how_to_start_one() -> None:
    async with open_fake_vllm([]) as server:
        url = server.url
    done = await ossia("run", "Hi", "--engine", url)
    message = " ".join(done.stderr.decode().split())
    assert f"no engine at {url}" in message
    assert "ossia engine" in message
    assert done.returncode == 1


async def test_prune_removes_the_sandboxes_of_dead_processes() -> None:
    done = await ossia("sandbox", "prune")
    assert done.stdout.decode().endswith(" removed\n"), done.stderr.decode()

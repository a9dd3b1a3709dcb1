"""Each example runs as a user runs it: a program of its own, against a server."""

from __future__ import annotations

import sys
from pathlib import Path

import anyio
import pytest

from ossia.agent import Server

# The first test of a session also starts the server.
pytestmark = [pytest.mark.vllm, pytest.mark.timeout(300)]

EXAMPLES = Path(__file__).parents[2] / "examples"


async def run(name: str, server: Server) -> str:
    """What an example prints."""
    command = [sys.executable, str(EXAMPLES / name), server.url]
    with anyio.fail_after(120):
        done = await anyio.run_process(command, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


@pytest.mark.docker
async def test_the_autonomous_script_works_through_its_tasks(tiny_server: Server) -> None:
    printed = await run("autonomous_script.py", tiny_server)
    assert [number in printed for number in ("15846", "339986", "-821")] == [True] * 3


async def test_the_function_calling_agent_calls_the_function(tiny_server: Server) -> None:
    printed = await run("function_calling.py", tiny_server)
    assert "→ functions.get_weather" in printed
    assert '← {"temperature":21,"sky":"sunny"}' in printed
    assert "21 degrees" in printed


@pytest.mark.docker
async def test_the_typed_answer_is_an_object(tiny_server: Server) -> None:
    assert await run("typed_answer.py", tiny_server) == "417 * 38 is 15846\n"


def test_every_example_is_tested_here() -> None:
    tested = "".join(path.read_text() for path in Path(__file__).parent.glob("*.py"))
    for example in EXAMPLES.glob("*.py"):
        assert example.name in tested

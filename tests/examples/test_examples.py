"""Each example runs as a user runs it: as a program of its own, against a server."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from examples.web_research import report, research
from ossia.agent import Server
from ossia.agent.testing import (
    Reply,
    ScriptedEngine,
    answer_turn,
    call_turn,
    open_fake_vllm,
)
from ossia.tools import LocalSearch

# The first test of a session that needs the tiny model also starts its server.
pytestmark = pytest.mark.timeout(300)

EXAMPLES = Path(__file__).parents[2] / "examples"
PROGRAM_S = 120.0
PAGES = {
    "salt.html": "<title>Salt</title><p>Salt is sodium chloride.</p>",
    "sea.html": "<title>The sea</title><p>The sea holds <a href=salt.html>salt</a>.</p>",
}
RESEARCH_TURNS = [
    call_turn("browser.search", query="sodium"),
    call_turn("browser.open", id=0),
    answer_turn("It is NaCl【1†L2】, and old【1†L40】."),
]


def command(name: str, *arguments: str) -> list[str]:
    return [sys.executable, str(EXAMPLES / name), *arguments]


async def run(name: str, *arguments: str) -> str:
    """Return what an example prints. It must succeed, and log nothing."""
    with anyio.fail_after(PROGRAM_S):
        process = await anyio.run_process(command(name, *arguments), check=False)
    assert (process.returncode, process.stderr.decode()) == (0, "")
    return process.stdout.decode()


def test_every_example_is_tested_here() -> None:
    tests = Path(__file__).read_text()
    for example in EXAMPLES.glob("*.py"):
        assert f'"{example.name}"' in tests


@pytest.mark.vllm
@pytest.mark.docker
async def test_the_autonomous_script_works_through_its_tasks(tiny_server: Server) -> None:
    output = await run("autonomous_script.py", tiny_server.url)
    assert [number in output for number in ("15846", "339986", "-821")] == [True] * 3
    assert output.count("✓") == 3


@pytest.mark.docker
async def test_the_autonomous_script_continues_after_a_failed_task() -> None:
    answer = Reply(turn=answer_turn("Done."))
    refusal = Reply(status=400, error="out of order")
    async with open_fake_vllm([answer, refusal, answer]) as fake:
        output = await run("autonomous_script.py", fake.url)
    assert [line[0] for line in output.splitlines()] == ["✓", "✗", "✓"]
    assert "out of order" in output


@pytest.mark.vllm
async def test_the_function_calling_agent_calls_the_function(tiny_server: Server) -> None:
    output = await run("function_calling.py", tiny_server.url)
    assert "→ functions.get_weather" in output
    assert '← {"temperature":21,"sky":"sunny"}' in output
    assert "21 degrees" in output


@pytest.mark.vllm
@pytest.mark.docker
async def test_the_typed_output_is_an_object(tiny_server: Server) -> None:
    assert await run("typed_output.py", tiny_server.url) == "417 * 38 is 15846\n"


async def test_the_outcomes_of_many_tasks_are_lines_of_json() -> None:
    answer = Reply(turn=answer_turn("Done."))
    refusal = Reply(status=400, error="out of order")
    async with open_fake_vllm([*[answer] * 11, refusal, *[answer] * 88]) as fake:
        output = await run("many_tasks.py", fake.url)
    lines = [json.loads(line) for line in output.splitlines()]
    tasks = {f"Compute {number} + {7 * number}." for number in range(100)}
    assert len(lines) == 100
    assert {line["task"] for line in lines} == tasks
    assert [line["output"] for line in lines if "output" in line] == ["Done."] * 99
    (error,) = [line["error"] for line in lines if "error" in line]
    assert "out of order" in error


async def test_the_resuming_script_continues_after_it_was_killed(tmp_path: Path) -> None:
    journal = str(tmp_path / "journal.db")
    first_call_is_recorded = anyio.Event()

    def replies() -> Iterator[Reply]:
        yield Reply(turn=call_turn("read_meter", house=1))
        first_call_is_recorded.set()
        yield Reply(turn=answer_turn("House 2."), hang_after=2)
        yield Reply(turn=call_turn("read_meter", house=2))
        yield Reply(turn=answer_turn("House 2."))

    async with open_fake_vllm(replies()) as fake:
        with anyio.fail_after(PROGRAM_S):
            async with (
                await anyio.open_process(
                    command("resuming.py", fake.url, journal), stderr=None
                ) as process,
                anyio.create_task_group() as group,
            ):

                async def check_end() -> None:
                    await process.wait()
                    assert first_call_is_recorded.is_set(), "the script ended by itself"

                group.start_soon(check_end)
                await first_call_is_recorded.wait()
                process.kill()
        output = await run("resuming.py", fake.url, journal)
        assert output == "House 2.  (3 steps, 2 tool calls)\n"
        # The step before the kill is in the prompt, and the model did not repeat it.
        first, last = fake.requests[0]["prompt"], fake.requests[-1]["prompt"]
        assert last[: len(first)] == first
        assert len(fake.requests) == 4
        # A finished run returns its output again, without the model.
        assert await run("resuming.py", fake.url, journal) == output
        assert len(fake.requests) == 4


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in PAGES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


async def test_the_research_report_links_to_the_pages_that_were_read(folder: Path) -> None:
    search = LocalSearch(folder, "https://docs.example/")
    result = await research(ScriptedEngine(RESEARCH_TURNS), "What is salt?", search)
    assert report(result) == (
        "It is NaCl ([Salt](https://docs.example/salt.html)), and old.\n\n"
        "> Salt is sodium chloride.\n> — Salt, lines 2-2\n\n"
        "Not found in any page: 【1†L40】\n"
    )


async def test_web_research_runs_as_a_program(folder: Path) -> None:
    async with open_fake_vllm([Reply(turn=turn) for turn in RESEARCH_TURNS]) as fake:
        options = (f"--url={fake.url}", f"--folder={folder}")
        output = await run("web_research.py", "What is salt?", *options)
    assert "It is NaCl ([Salt](http://library.internal/salt.html))" in output

"""`ossia batch` reports every task, whatever fails."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import anyio

from ossia.agent.testing import Reply, answer_turn, call_turn, open_fake_vllm

STRAY_TOOL = '''
import asyncio

async def look() -> str:
    """Look."""
    raise asyncio.CancelledError
'''

STRAY_ENGINE = """
import asyncio
from ossia.agent import VLLMEngine
from ossia.harmony import decode

generate = VLLMEngine.generate

async def generate_or_raise(self, request):
    if "fail" in decode(request.prompt):
        raise asyncio.CancelledError
    async for piece in generate(self, request):
        yield piece

VLLMEngine.generate = generate_or_raise
"""


async def run_batch(
    folder: Path, *options: str, set_up: str = ""
) -> tuple[CompletedProcess[bytes], list[dict[str, Any]]]:
    """Run `ossia batch` in a process of its own; return it and the lines of results."""
    tasks, results = folder / "tasks.txt", folder / "results.jsonl"
    tasks.write_text("first\nfail\nlast\n")
    program = f"{set_up}\nfrom ossia.agent.cli import main\nmain()"
    command = [sys.executable, "-c", program, "batch", str(tasks), str(results), *options]
    with anyio.fail_after(60):
        done = await anyio.run_process(
            [*command, "-c", "1", "--journal", str(folder / "journal.db")], check=False
        )
    lines = [json.loads(line) for line in results.read_text().splitlines()]
    return done, lines


async def test_batch_reports_a_stray_cancelled_error_of_an_engine(tmp_path: Path) -> None:
    replies = [Reply(turn=answer_turn("One.")), Reply(turn=answer_turn("Two."))]
    async with open_fake_vllm(replies) as server:
        done, lines = await run_batch(tmp_path, "--engine", server.url, set_up=STRAY_ENGINE)
    assert done.returncode == 1, done.stderr.decode()
    assert [line["task"] for line in lines] == ["first", "fail", "last"]
    assert [line.get("output") for line in lines] == ["One.", None, "Two."]
    assert "nobody cancelled the run" in lines[1]["error"]
    assert lines[1]["run_id"]


async def test_batch_answers_all_tasks_after_a_stray_cancelled_error_of_a_tool(
    tmp_path: Path,
) -> None:
    file = tmp_path / "look.py"
    file.write_text(STRAY_TOOL)
    replies = [Reply(turn=turn) for turn in [call_turn("look"), answer_turn("Done.")] * 3]
    async with open_fake_vllm(replies) as server:
        options = ["--engine", server.url, "--tool", f"{file}:look"]
        done, lines = await run_batch(tmp_path, *options)
    assert done.returncode == 0, done.stderr.decode()
    assert [(line["task"], line["output"]) for line in lines] == [
        ("first", "Done."),
        ("fail", "Done."),
        ("last", "Done."),
    ]

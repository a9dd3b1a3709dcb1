"""The web research of web_research.py, over a folder, with a model from a script."""

from __future__ import annotations

import sys
from pathlib import Path

import anyio
import pytest

from examples.web_research import report, research
from ossia.agent.testing import Reply, ScriptedEngine, open_fake_vllm
from ossia.tools import LocalSearch

PAGES = {
    "salt.html": "<title>Salt</title><p>Salt is sodium chloride.</p>",
    "sea.html": "<title>The sea</title><p>The sea holds <a href=salt.html>salt</a>.</p>",
}
TURNS = [
    '<|channel|>analysis to=browser.search code<|message|>{"query": "sodium"}<|call|>',
    '<|channel|>analysis to=browser.open code<|message|>{"id": 0}<|call|>',
    "<|channel|>final<|message|>It is NaCl【1†L2】, and old【1†L40】.<|return|>",
]


pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in PAGES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


async def test_the_report_leads_to_what_was_read(folder: Path) -> None:
    search = LocalSearch(folder, "https://docs.example/")
    result = await research(ScriptedEngine(TURNS), "What is salt?", search)
    assert report(result) == (
        "It is NaCl ([Salt](https://docs.example/salt.html)), and old.\n\n"
        "> Salt is sodium chloride.\n> — Salt, lines 2-2\n\n"
        "Not found in any page: 【1†L40】\n"
    )


async def test_it_runs_as_a_program(folder: Path) -> None:
    example = Path(__file__).parents[2] / "examples" / "web_research.py"
    async with open_fake_vllm([Reply(turn=turn) for turn in TURNS]) as server:
        command = [sys.executable, str(example), "What is salt?", f"--url={server.url}"]
        with anyio.fail_after(60):
            done = await anyio.run_process([*command, f"--folder={folder}"], check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert "It is NaCl ([Salt](http://library.internal/salt.html))" in done.stdout.decode()

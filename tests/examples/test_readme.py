"""Every Python block of the README runs, and prints what its comments say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ossia.agent.testing import answer_turn, call_turn, python_turn
from tests.examples.programs import Program, printed_lines, run_program
from tests.house.documents import code_blocks

WEATHER = [call_turn("get_weather", city="Oslo"), answer_turn("Yes: it snows.")]
STOCK = [call_turn("count_stock", article="A-1204"), answer_turn("17 pieces.")]
PARIS = [call_turn("get_weather", city="Paris"), answer_turn("I can only see Oslo.")]
SAVE = "open('/mnt/data/result.txt', 'w').write(str(417 * 38))"
PAGES = [
    call_turn("browser.search", query="salt"),
    call_turn("browser.open", id=0),
    answer_turn("It is NaCl【1†L2】."),
]

TURNS = {
    "from ossia.agent import Agent, VLLMEngine": [],
    "from ossia.tools import RunContext": [],
    "from pydantic import BaseModel": [answer_turn([{"article": "A-1204", "pieces": 10}])],
    "async def main": WEATHER,
    "class OnlyOslo": PARIS,
    "PythonTool": [python_turn(SAVE), answer_turn("It is 15846.")],
    "BrowserTool": PAGES,
    "SQLiteJournal": [*WEATHER, answer_turn("Take a coat.")],
    "run_many": [answer_turn("Done.")] * 3,
    'logging.basicConfig(level="INFO")': WEATHER,
    "structlog": WEATHER,
    "LimitExceeded": WEATHER[:1],
    "ScriptedEngine": [],
}
"""The model's turns for each block, by a text that only this block contains."""

BLOCKS = [block.text for block in code_blocks("README.md", "python")]
FIRST_PROGRAM = "\n\n".join(BLOCKS[:2])
"""The program that the other blocks continue."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder that a program runs in, with a page to search."""
    (tmp_path / "docs").mkdir()
    page = "<title>Salt</title><p>Salt is sodium chloride.</p>"
    (tmp_path / "docs" / "salt.html").write_text(page)
    return tmp_path


async def run_block(text: str, folder: Path) -> Program:
    """Run the first program and one block, and check what they print."""
    (turns,) = [turns for part, turns in TURNS.items() if part in text]
    whole = FIRST_PROGRAM if text in FIRST_PROGRAM else f"{FIRST_PROGRAM}\n\n{text}"
    program = await run_program(whole, [*WEATHER, *STOCK, *turns], folder)
    assert program.stdout == printed_lines(whole)
    assert program.requests == len([*WEATHER, *STOCK, *turns])
    return program


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(text, marks=[pytest.mark.docker] if "PythonTool" in text else [])
        for text in BLOCKS
    ],
)
async def test_a_block_prints_what_its_comments_say(text: str, folder: Path) -> None:
    program = await run_block(text, folder)
    if "logging" not in text:
        assert program.stderr == ""


async def test_basic_config_shows_the_line_that_the_readme_shows(folder: Path) -> None:
    (text,) = [text for text in BLOCKS if 'logging.basicConfig(level="INFO")' in text]
    program = await run_block(text, folder)
    assert any(
        line.startswith("INFO:ossia.tools:tool_call_finished ")
        for line in program.stderr.splitlines()
    )


async def test_structlog_shows_the_events_of_ossia_as_json(folder: Path) -> None:
    (text,) = [text for text in BLOCKS if "structlog" in text]
    program = await run_block(text, folder)
    events = [json.loads(line) for line in program.stderr.splitlines()]
    assert "tool_call_finished" in [event["event"] for event in events]

"""Lone surrogates, which no UTF-8 text can contain, wherever text enters a run."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from ossia.agent import Agent, SQLiteJournal
from ossia.agent.testing import ScriptedEngine, answer_turn, call_turn, python_turn
from ossia.harmony import DeveloperContent, Message, decode
from ossia.sandbox import BubblewrapSandbox, UnsafeLocalSandbox
from ossia.tools import PythonTool, RunContext, ToolError

TEXT = "a\ud800b"
SHOWN = "a\ufffdb"


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncGenerator[SQLiteJournal]:
    async with SQLiteJournal(tmp_path / "runs.db") as journal:
        yield journal


def return_text() -> str:
    """Return it."""
    return TEXT


def return_json() -> dict[str, list[str]]:
    """Return it in JSON."""
    return {TEXT: [TEXT]}


def raise_text() -> str:
    """Raise it."""
    raise ToolError(TEXT)


@pytest.mark.parametrize("function", [return_text, raise_text])
async def test_the_text_of_a_tool_becomes_a_replacement_character(
    function: Any, journal: SQLiteJournal
) -> None:
    engine = ScriptedEngine([call_turn(function.__name__), answer_turn("Done.")])
    result = await Agent(engine, tools=[function], journal=journal).run("Go")
    assert SHOWN in decode(engine.prompts[1])
    (shown,) = [message.text for message in result.messages if message.role == "tool"]
    assert SHOWN in shown
    stored = await Agent(ScriptedEngine([]), tools=[function], journal=journal).resume(
        result.run_id
    )
    assert stored.messages == result.messages


async def test_json_of_a_tool_can_be_read(journal: SQLiteJournal) -> None:
    engine = ScriptedEngine([call_turn("return_json"), answer_turn("Done.")])
    await Agent(engine, tools=[return_json], journal=journal).run("Go")
    assert SHOWN in decode(engine.prompts[1])


async def test_a_task_instructions_and_metadata_are_stored(journal: SQLiteJournal) -> None:
    engine = ScriptedEngine([answer_turn("Done.")])
    agent = Agent(engine, instructions=TEXT, journal=journal)
    result = await agent.run(TEXT, run_id="first", metadata={"of": [TEXT]})
    assert SHOWN in decode(engine.prompts[0])
    assert result.messages[-2].text == SHOWN
    (summary,) = await journal.runs()
    assert summary.metadata == {"of": [SHOWN]}
    # The same task continues the run.
    assert (await agent.run(TEXT, run_id="first")).output == "Done."


@pytest.mark.parametrize("run_id", [TEXT, "", " ", "a\nb", "\x1b[1m"])
async def test_an_id_must_be_printable(run_id: str, journal: SQLiteJournal) -> None:
    agent = Agent(ScriptedEngine([]), journal=journal)
    with pytest.raises(ValueError, match="is not an id: use printable text"):
        await agent.run("Go", run_id=run_id)


@pytest.mark.parametrize(
    "sandbox",
    [
        UnsafeLocalSandbox,
        pytest.param(BubblewrapSandbox, marks=pytest.mark.bubblewrap),
    ],
)
@pytest.mark.parametrize(
    "code",
    [
        f"x = '{TEXT}'; x",
        "raise ValueError('a\\ud800b')",
        "import json; json.loads('\"a\\\\ud800b\"')",
        "print('a\\ud800b'.encode('utf-8', 'surrogatepass'))\nopen('a\\udc80b', 'w').close()",
    ],
)
async def test_a_cell_can_contain_and_return_it(
    sandbox: Any, code: str, journal: SQLiteJournal
) -> None:
    engine = ScriptedEngine([python_turn(code), answer_turn("Done.")])
    agent = Agent(engine, tools=[PythonTool(sandbox)], journal=journal)
    assert (await agent.run("Go")).output == "Done."


async def test_a_file_of_such_a_name_is_stored_under_a_name_with_a_replacement_character() -> None:
    async with UnsafeLocalSandbox() as sandbox:
        await sandbox.put(f"/mnt/data/{TEXT}.txt", b"1")
        assert [file.path for file in await sandbox.list()] == [f"/mnt/data/{SHOWN}.txt"]
        assert await sandbox.get(f"/mnt/data/{TEXT}.txt") == b"1"


def test_a_message_joins_halves_and_replaces_what_is_left() -> None:
    assert Message("user", "\ud83d\ude00 \ude00").text == "😀 \ufffd"
    settings = DeveloperContent("Be brief.")
    message = Message("developer", (settings, TEXT, "ü"))
    assert message.content == (settings, SHOWN, "ü")


async def test_the_context_of_a_call_has_the_same_text(journal: SQLiteJournal) -> None:
    seen: list[str] = []

    def look(context: RunContext[None]) -> str:
        """Look."""
        seen.append(str(context.run_id))
        return "Seen."

    engine = ScriptedEngine([call_turn("look"), answer_turn("Done.")])
    await Agent(engine, tools=[look], journal=journal).run(TEXT, run_id="an id")
    assert seen == ["an id"]

"""Journals and tapes of format 1, written by the version before records were renamed.

journals/journal_v1.db has one run for each kind of record and each state of a run; its run ids say
which. journals/prompts_v1.json has a digest of the prompts of each finished run, as that version
sent them. In it, `read_tool_result` was called `recall_output`.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import pytest
from pydantic import BaseModel

from ossia.agent import Agent, SQLiteJournal, TrimContext
from ossia.agent.journal import (
    ContextTrimmed,
    Record,
    RunFailed,
    RunOpened,
    RunResumed,
    ToolResultRecorded,
    TurnSampled,
    UserMessageAdded,
    from_json,
    to_json,
)
from ossia.agent.run import RunState
from ossia.agent.testing import ScriptedEngine, Tape, answer_turn, call_turn
from ossia.errors import JournalError
from ossia.harmony import decode
from ossia.sandbox import UnsafeLocalSandbox
from ossia.tools import PythonTool, tool

FOLDER = Path(__file__).parent / "version_1"
PROMPTS: dict[str, str] = json.loads((FOLDER / "prompts_v1.json").read_text())
FINISHED = sorted(PROMPTS)
UNFINISHED = ["failed", "trimmed_unfinished", "unfinished"]
OLD_KINDS = {"run_taken", "turn_taken", "call_ended", "model_told", "answer_taken"}
OLD_FIELDS = {"about", "began", "kept", "discarded", "changes", "nudge", "trace", "why", "shown"}
FINAL = answer_turn("Done.")


@tool
def read(n: int) -> str:
    """Read a page."""
    return f"<{n}> " + " word" * 300


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@tool
def pay(amount: int) -> str:
    """Pay an amount."""
    raise AssertionError("an interrupted payment must not be repeated")


class Sum(BaseModel):
    total: int


TRIM = TrimContext(summarize=False, keep_recent=1)
OPTIONS: dict[str, dict[str, Any]] = {
    "chat": {"tools": [add]},
    "circles": {"tools": [add]},
    "discarded": {},
    "failed": {"tools": [add]},
    "fork": {"tools": [add, PythonTool(UnsafeLocalSandbox)], "instructions": "Be exact."},
    "limited": {"tools": [add]},
    "rejected": {"output_type": Sum},
    "resumed": {"tools": [add]},
    "summed_up": {"tools": [read]},
    "tools": {"tools": [add, PythonTool(UnsafeLocalSandbox)], "instructions": "Be exact."},
    "trimmed": {"tools": [read], "context": TRIM},
    "trimmed_unfinished": {"tools": [read], "context": TRIM},
    "unfinished": {"tools": [add, pay]},
}


def agent_of(run_id: str, journal: SQLiteJournal, *turns: Any, **options: Any) -> Agent[Any]:
    """Return the agent that worked on a run, with this version's tools and the given turns."""
    engine = ScriptedEngine(turns, chunk=1000, window=options.pop("window", None))
    return Agent[Any](
        engine, journal=journal, today=date(2026, 1, 2), **{**OPTIONS[run_id], **options}
    )


@pytest.fixture
def journal(tmp_path: Path) -> SQLiteJournal:
    shutil.copy(FOLDER / "journal_v1.db", tmp_path / "journal.db")
    return SQLiteJournal(tmp_path / "journal.db")


RecordT = TypeVar("RecordT")


def only(record: Record, kind: type[RecordT]) -> RecordT:
    assert isinstance(record, kind)
    return record


def rows(journal: SQLiteJournal, run_id: str) -> list[tuple[str, dict[str, Any]]]:
    with closing(sqlite3.connect(journal.path)) as connection:
        found = connection.execute(
            "SELECT kind, record FROM records WHERE run_id = ? ORDER BY number", [run_id]
        ).fetchall()
    return [(kind, json.loads(record)) for kind, record in found]


def file_format(journal: SQLiteJournal) -> int:
    with closing(sqlite3.connect(journal.path)) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


async def test_all_runs_are_listed(journal: SQLiteJournal) -> None:
    runs = {run.run_id: run for run in await journal.runs()}
    assert sorted(runs) == sorted([*FINISHED, *UNFINISHED]) == sorted(OPTIONS)
    statuses = {run_id: run.status for run_id, run in runs.items()}
    expected = {**dict.fromkeys(FINISHED, "answered"), **dict.fromkeys(UNFINISHED, "failed")}
    assert statuses == {**expected, "unfinished": "unfinished"}
    assert {run_id: run.steps for run_id, run in runs.items()} == {
        "chat": 3, "circles": 5, "discarded": 3, "failed": 2, "fork": 3, "limited": 3,
        "rejected": 2, "resumed": 3, "summed_up": 6, "tools": 5, "trimmed": 10,
        "trimmed_unfinished": 7, "unfinished": 2,
    }  # fmt: skip
    assert runs["chat"].task == "Two?"
    assert runs["trimmed_unfinished"].failure == "EngineError: gone"
    assert runs["tools"].metadata == {"case": "tools", "model": "m"}
    assert runs["fork"].metadata == {"case": "tools", "model": "m"}
    assert runs["unfinished"].started_at.year == 2026


async def test_every_field_has_its_value(journal: SQLiteJournal) -> None:
    opened, turn, result, *others = await journal.read("tools")
    assert only(opened, RunOpened).metadata["case"] == "tools"
    turn = only(turn, TurnSampled)
    assert turn.kept_tokens == len(turn.tokens) > 0
    assert only(result, ToolResultRecorded).fingerprint
    (with_file,) = [
        record for record in others if isinstance(record, ToolResultRecorded) and record.files
    ]
    (file,) = with_file.files
    assert file.digest is not None
    assert await journal.blob(file.digest) == b"ten"
    assert with_file.state_changes
    discarded = only((await journal.read("discarded"))[1], TurnSampled)
    assert discarded.discard_reason
    notices = [
        record.repeat_notice
        for record in await journal.read("circles")
        if isinstance(record, ToolResultRecorded)
    ]
    assert [bool(notice) for notice in notices] == [False, False, False, True]
    added = [
        (record.origin, bool(record.reason))
        for run_id in ("chat", "rejected", "limited")
        for record in await journal.read(run_id)
        if isinstance(record, UserMessageAdded)
    ]
    assert added == [("user", False), ("user", False), ("rejection", True), ("limit", True)]
    (trimmed, _) = [
        record for record in await journal.read("trimmed") if isinstance(record, ContextTrimmed)
    ]
    assert trimmed.replacements
    assert trimmed.read_tool == "recall_output"
    resumed = await journal.read("resumed")
    (failed,) = [record for record in resumed if isinstance(record, RunFailed)]
    assert (failed.error_type, failed.text) == ("EngineError", "gone")
    assert any(isinstance(record, RunResumed) for record in resumed)
    assert only((await journal.read("fork"))[0], RunOpened).forked_from == "tools"


async def test_records_are_written_with_the_new_names_only(journal: SQLiteJournal) -> None:
    for run_id in OPTIONS:
        for record in await journal.read(run_id):
            written = json.loads(to_json(record))
            assert written["kind"] not in OLD_KINDS
            assert not OLD_FIELDS & written.keys()
            assert from_json(to_json(record)) == record


@pytest.mark.parametrize("run_id", FINISHED)
async def test_a_finished_run_gives_its_result_again(run_id: str, journal: SQLiteJournal) -> None:
    before = await journal.read(run_id)
    result = await agent_of(run_id, journal).resume(run_id)
    assert result.output == (
        Sum(total=5) if run_id == "rejected" else "Five." if run_id == "limited" else "Done."
    )
    assert result.messages == tuple(RunState(before).conversation.transcript.messages)
    assert result.limit == ("tool_calls" if run_id == "limited" else None)
    assert [file.data for file in result.files] == ([b"ten"] if run_id in {"tools", "fork"} else [])
    assert await journal.read(run_id) == before


@pytest.mark.parametrize("run_id", FINISHED)
async def test_prompts_are_the_same_as_before(run_id: str, journal: SQLiteJournal) -> None:
    tape = await Tape.of(journal, run_id)
    assert sha256(json.dumps(tape.prompts).encode()).hexdigest() == PROMPTS[run_id]


@pytest.mark.parametrize("run_id", FINISHED)
async def test_a_finished_run_replays(run_id: str, journal: SQLiteJournal, tmp_path: Path) -> None:
    tape = await Tape.of(journal, run_id)
    result = await tape.replay(agent_of(run_id, journal))
    assert result.messages == tape.messages
    tape.save(tmp_path / "tape.jsonl")
    assert Tape.load(tmp_path / "tape.jsonl").records == tape.records


async def test_a_tape_loads_and_replays(journal: SQLiteJournal) -> None:
    tape = Tape.load(FOLDER / "tape_v1.jsonl")
    assert tape.records == (await Tape.of(journal, "trimmed")).records
    result = await tape.replay(agent_of("trimmed", journal))
    assert result.messages == tape.messages


async def test_an_interrupted_run_continues(journal: SQLiteJournal) -> None:
    agent = agent_of("unfinished", journal, call_turn("add", '{"a": 1, "b": 1}'), FINAL)
    result = await agent.resume("unfinished")
    assert result.output == "Done."
    added, interrupted, again = [
        message.text for message in result.messages if message.role == "tool"
    ]
    assert (added, again) == ("5", "2")
    assert "interrupted" in interrupted
    kinds = [kind for kind, _ in rows(journal, "unfinished")]
    assert kinds == [
        "run_opened", "turn_taken", "call_ended", "turn_taken",
        "run_resumed", "tool_result_recorded", "turn_sampled", "tool_result_recorded",
        "turn_sampled", "output_accepted",
    ]  # fmt: skip
    (run,) = [run for run in await journal.runs() if run.run_id == "unfinished"]
    assert (run.status, run.steps) == ("answered", 4)


async def test_a_run_that_reached_a_limit_continues(journal: SQLiteJournal) -> None:
    result = await agent_of("failed", journal, FINAL).resume("failed")
    added, pending = [message.text for message in result.messages if message.role == "tool"]
    assert added == "5"
    assert "interrupted" in pending


@pytest.mark.parametrize("grammar", [True, False])
async def test_a_trimmed_run_continues_with_the_function_that_it_declared(
    journal: SQLiteJournal, *, grammar: bool
) -> None:
    agent = agent_of(
        "trimmed_unfinished",
        journal,
        call_turn("recall_output", '{"output": 1}'),
        *(call_turn("read", f'{{"n": {n}}}') for n in (6, 7)),
        call_turn("recall_output", '{"output": 2}'),
        FINAL,
        grammar=grammar,
        window=2000,
    )
    result = await agent.resume("trimmed_unfinished")
    texts = [message.text for message in result.messages if message.role == "tool"]
    assert [text[:4] for text in texts] == [f"<{n}> " for n in (*range(6), 0, 6, 7, 1)]
    assert isinstance(agent.engine, ScriptedEngine)
    prompts = [decode(prompt) for prompt in agent.engine.prompts]
    assert all("type recall_output = (_: {" in prompt for prompt in prompts)
    assert not any("read_tool_result" in prompt for prompt in prompts)
    trimmed = [
        row for kind, row in rows(journal, "trimmed_unfinished") if kind == "context_trimmed"
    ]
    assert [("shown" in row, row.get("read_tool")) for row in trimmed] == [
        (True, None),
        *[(False, "recall_output")] * 2,
    ]
    grammars = [str(request.grammar) for request in agent.engine.requests]
    assert all(("recall_output" in text) is grammar for text in grammars)


async def test_a_run_that_was_not_trimmed_gets_the_new_function(journal: SQLiteJournal) -> None:
    agent = agent_of(
        "failed",
        journal,
        *(call_turn("read", f'{{"n": {n}}}') for n in range(6)),
        call_turn("read_tool_result", '{"number": 3}'),
        FINAL,
        tools=[add, read],
        context=TRIM,
        window=2000,
    )
    result = await agent.fork("failed", step=1)
    texts = [message.text for message in result.messages if message.role == "tool"]
    assert texts[-1].startswith("<1> ")


async def test_a_run_forks(journal: SQLiteJournal) -> None:
    agent = agent_of("tools", journal, FINAL)
    result = await agent.fork("tools", step=2)
    assert [file.data for file in result.files] == [b"ten"]
    written = rows(journal, result.run_id)
    assert written[0][1]["forked_from"] == "tools"
    assert written[0][1]["metadata"] == {"case": "tools", "model": "m"}
    assert not OLD_KINDS & {kind for kind, _ in written}


async def test_a_trimmed_run_forks_with_the_function_that_it_declared(
    journal: SQLiteJournal,
) -> None:
    turns = [call_turn("recall_output", '{"output": 1}'), FINAL]
    result = await agent_of("trimmed", journal, *turns).fork("trimmed", step=7)
    texts = [message.text for message in result.messages if message.role == "tool"]
    assert texts[-1] == texts[0]


async def test_a_chat_continues(journal: SQLiteJournal) -> None:
    async with agent_of("chat", journal, FINAL).chat(resume="chat") as chat:
        await chat.say("Three?")
    asked = [message.text for message in chat.messages if message.role == "user"]
    assert asked == ["One?", "Two?", "Three?"]


async def test_a_tool_may_have_the_earlier_name(journal: SQLiteJournal) -> None:
    @tool
    def recall_output() -> str:
        """Recall."""
        return "mine"

    turns = [call_turn("recall_output", "{}"), FINAL]
    agent = replace(agent_of("discarded", journal, *turns), tools=[recall_output])
    result = await agent.run("Go.")
    assert "mine" in [message.text for message in result.messages]


async def test_reading_keeps_the_format_and_writing_changes_it(journal: SQLiteJournal) -> None:
    """Earlier versions read formats 0 and 1 only, so they refuse a file that has new records."""
    await journal.runs()
    await journal.read("tools")
    assert file_format(journal) == 1
    await agent_of("unfinished", journal, FINAL).resume("unfinished")
    assert file_format(journal) == 2


async def test_a_format_that_changes_while_a_file_is_open_is_noticed(
    journal: SQLiteJournal,
) -> None:
    async with journal:
        await journal.runs()
        with closing(sqlite3.connect(journal.path)) as later_version:
            later_version.execute("PRAGMA user_version=7")
        with pytest.raises(JournalError, match="a journal of format 7"):
            await journal.append("tools", 12, [RunResumed()])
        assert len(rows(journal, "tools")) == 11


async def test_an_earlier_version_refuses_a_new_tape(
    journal: SQLiteJournal, tmp_path: Path
) -> None:
    """Its first record lacks `began`, which earlier versions require."""
    (await Tape.of(journal, "tools")).save(tmp_path / "tape.jsonl")
    first, *others = map(json.loads, (tmp_path / "tape.jsonl").read_bytes().splitlines())
    assert first["kind"] == "run_opened"
    assert "began" not in first
    assert "turn_sampled" in {record["kind"] for record in others}


UNREADABLE: list[tuple[bytes, str]] = [
    (b'{"kind": "sung", "text": "secret"}', "sung"),
    (b'{"kind": "run_failed", "secret": 1}', "Field required"),
    (b'["secret"]', "valid dictionary"),
    (b'{"secret', "EOF"),
]


@pytest.mark.parametrize(("line", "reason"), UNREADABLE)
def test_an_unreadable_record_is_a_journal_error(line: bytes, reason: str) -> None:
    with pytest.raises(JournalError, match=f"a record cannot be read: .*{reason}") as raised:
        from_json(line)
    assert "secret" not in str(raised.value)

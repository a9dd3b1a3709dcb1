"""What every journal guarantees, and what SQLite adds: many writers of one file."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import anyio
import pytest

from ossia.agent import Agent
from ossia.agent.journal import Journal, MemoryJournal, Record, SQLiteJournal
from ossia.agent.journal.protocol import digest_of
from ossia.agent.journal.records import (
    ContextTrimmed,
    OutputAccepted,
    RecordedFile,
    RunFailed,
    RunOpened,
    ToolResultRecorded,
    TurnSampled,
    UserMessageAdded,
    from_json,
    to_json,
)
from ossia.agent.testing import ScriptedEngine, answer_turn
from ossia.agent.usage import Usage
from ossia.errors import JournalError, RunNotFoundError
from ossia.harmony import DeveloperContent, Message, SystemContent

TASK = Message("user", "2 + 3?")
OPENED = RunOpened(
    messages=(
        Message("system", SystemContent()),
        Message(
            "developer",
            DeveloperContent("Be brief."),
        ),
        TASK,
    ),
    started_at=datetime(2026, 1, 2, tzinfo=UTC),
    metadata={"model": "m"},
)
TURN = TurnSampled(
    at_s=1.5, tokens=(1, 200012), kept_tokens=2, recipients=("python",), usage=Usage(steps=1)
)
RESULT = ToolResultRecorded(
    message=Message("tool", "5", name="python", channel="analysis", recipient="assistant"),
    failed=False,
    seconds=0.1,
    files=(RecordedFile(path="/mnt/data/a", digest=digest_of(b"x")),),
    state_changes={"python": True},
)
USER_MESSAGE = UserMessageAdded(message=Message("user", "And 3 + 4?"), origin="user")
RECORDS: Sequence[Record] = (
    OPENED,
    TURN,
    RESULT,
    USER_MESSAGE,
    ContextTrimmed(
        replacements={2: None, 3: Message("user", "short")}, usage=Usage(sampled_tokens=3)
    ),
    OutputAccepted(at_s=2.0),
    RunFailed(error_type="EngineError", text="on fire"),
)


@pytest.fixture(params=["memory", "sqlite"])
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Journal:
    return MemoryJournal() if request.param == "memory" else SQLiteJournal(tmp_path / "a" / "j.db")


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.kind)
def test_a_record_survives_json(record: Record) -> None:
    assert from_json(to_json(record)) == record


async def test_records_are_read_in_order(journal: Journal) -> None:
    await journal.append("a", 0, RECORDS[:2])
    await journal.append("b", 0, [OPENED])
    await journal.append("a", 2, RECORDS[2:])
    assert await journal.read("a") == list(RECORDS)
    assert await journal.read("b") == [OPENED]


async def test_an_unknown_run_id_is_an_error_that_lists_the_latest_runs(journal: Journal) -> None:
    with pytest.raises(RunNotFoundError, match="no run 'z' in the journal; latest runs: none"):
        await journal.read("z")
    await journal.append("a", 0, [OPENED])
    with pytest.raises(
        RunNotFoundError, match="no run 'z' in the journal; latest runs: a"
    ) as error:
        await journal.read("z")
    assert error.value.run_id == "z"


async def test_a_run_has_one_record_of_each_number(journal: Journal) -> None:
    """So two processes never write to the same run: the slower one gets an error."""
    await journal.append("a", 0, [OPENED])
    await journal.append("a", 1, [TURN])
    with pytest.raises(JournalError, match="the run a was resumed elsewhere"):
        await journal.append("a", 1, [USER_MESSAGE, USER_MESSAGE])
    assert await journal.read("a") == [OPENED, TURN]


async def test_blobs_are_found_by_digest(journal: Journal) -> None:
    await journal.append("a", 0, [OPENED], [b"x", b""])
    await journal.append("a", 1, [RESULT], [b"x"])
    assert await journal.blob(digest_of(b"x")) == b"x"
    assert await journal.blob(digest_of(b"")) == b""
    with pytest.raises(JournalError, match="no blob"):
        await journal.blob(digest_of(b"y"))


async def test_the_list_of_runs_has_the_status_of_each(journal: Journal) -> None:
    later = OPENED.model_copy(
        update={"started_at": datetime(2026, 1, 3, tzinfo=UTC), "metadata": {}}
    )
    await journal.append("old", 0, [OPENED, TURN, RESULT, TURN, OutputAccepted(at_s=2.0)])
    await journal.append(
        "new", 0, [later, TURN, RunFailed(error_type="EngineError", text="on fire")]
    )
    new, old = await journal.runs()
    assert (new.run_id, new.status, new.steps, new.failure) == (
        "new",
        "failed",
        1,
        "EngineError: on fire",
    )
    assert (old.run_id, old.status, old.steps, old.seconds) == ("old", "answered", 2, 2.0)
    assert (old.task, old.metadata) == ("2 + 3?", {"model": "m"})
    await journal.append("old", 5, [USER_MESSAGE])
    (_, old) = await journal.runs()
    assert (old.status, old.task) == ("unfinished", "And 3 + 4?")


async def test_runs_of_a_process_share_commits(tmp_path: Path) -> None:
    """Entries that arrive during a commit go into the next one together."""
    commits: list[str] = []
    async with SQLiteJournal(tmp_path / "j.db") as journal:
        await journal.append("first", 0, [OPENED])
        async with journal._shared.use() as connection:  # pyright: ignore[reportPrivateUsage]
            connection.database.set_trace_callback(commits.append)
        async with anyio.create_task_group() as group:
            for number in range(50):
                group.start_soon(journal.append, f"run-{number}", 0, RECORDS[:2])
        assert len(await journal.runs()) == 51
    assert commits.count("COMMIT") < 10


async def test_a_waiting_write_does_not_block_other_runs(tmp_path: Path) -> None:
    """While another connection has the file locked, a write waits outside the event loop."""
    blocked, free = (ScriptedEngine([answer_turn("Done.")]) for _ in range(2))
    async with SQLiteJournal(tmp_path / "j.db") as journal:
        await journal.append("first", 0, [OPENED])
        with closing(sqlite3.connect(journal.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            async with anyio.create_task_group() as group:
                group.start_soon(Agent(blocked, journal=journal).run, "Go.")
                await anyio.lowlevel.checkpoint()
                assert (await Agent(free).run("Go.")).output == "Done."
                # RunOpened is not durable yet, so the first step has not started.
                assert not blocked.prompts
                other.execute("ROLLBACK")
        assert blocked.prompts
        assert len(await journal.runs()) == 2


async def test_a_refused_entry_does_not_affect_others_of_its_commit(tmp_path: Path) -> None:
    async with SQLiteJournal(tmp_path / "j.db") as journal:
        await journal.append("a", 0, [OPENED])
        refused: list[str] = []

        async def write(run_id: str) -> None:
            try:
                await journal.append(run_id, 0, [OPENED], [run_id.encode()])
            except JournalError as error:
                refused.append(error.run_id)

        async with anyio.create_task_group() as group:
            for run_id in ("b", "a", "c", "a", "d"):
                group.start_soon(write, run_id)
        assert refused == ["a", "a"]
        assert {run.run_id for run in await journal.runs()} == {"a", "b", "c", "d"}


WRITER = """
import sys, anyio
from ossia.agent.journal import SQLiteJournal
from ossia.agent.journal.records import OutputAccepted

async def write(path, run_id):
    async with SQLiteJournal(path) as journal:
        for number in range(1, 40):
            await journal.append(run_id, number, [OutputAccepted()])

anyio.run(write, *sys.argv[1:])
"""


async def test_several_processes_write_to_one_file(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    journal = SQLiteJournal(path)
    for run_id in ("a", "b"):
        await journal.append(run_id, 0, [OPENED])
    command = [sys.executable, "-c", WRITER, str(path)]
    with anyio.fail_after(50):
        async with anyio.create_task_group() as group:
            for run_id in ("a", "b"):
                group.start_soon(anyio.run_process, [*command, run_id])
    assert [len(await journal.read(run_id)) for run_id in ("a", "b")] == [40, 40]


async def test_a_file_that_is_not_a_database_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    path.write_bytes(b"this is not a database, and a long line of text" * 100)
    with pytest.raises(JournalError, match=f"{path} cannot be used: file is not a database"):
        await SQLiteJournal(path).append("a", 0, [OPENED])
    with pytest.raises(JournalError) as error:
        await SQLiteJournal(path).read("a")
    assert not isinstance(error.value, RunNotFoundError)


async def test_a_file_of_an_unknown_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version=7")
    connection.close()
    with pytest.raises(JournalError, match="a journal of format 7"):
        await SQLiteJournal(path).runs()


async def test_a_cancelled_write_does_not_affect_later_writes(tmp_path: Path) -> None:
    async with SQLiteJournal(tmp_path / "j.db") as journal:
        async with anyio.create_task_group() as group:
            for number in range(20):
                group.start_soon(journal.append, f"run-{number}", 0, RECORDS[:1])
            await anyio.lowlevel.checkpoint()
            group.cancel_scope.cancel()
        await journal.append("after", 0, [OPENED])
        assert "after" in {run.run_id for run in await journal.runs()}

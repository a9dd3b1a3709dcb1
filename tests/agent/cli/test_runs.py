"""The commands that use the journal: runs, resume, chat and batch."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from anyio import to_thread
from typer.testing import CliRunner

from ossia.agent.cli.main import app
from ossia.agent.testing import FakeVLLM, Reply, answer_turn, call_turn, open_fake_vllm
from ossia.errors import EngineUnavailableError, JournalError, OssiaError

CALL = call_turn("get_weather", city="Paris", reasoning="I need the weather.")


def answer(text: str) -> Reply:
    return Reply(turn=answer_turn(text))


@pytest.fixture(autouse=True)
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "journal.db"
    monkeypatch.setenv("OSSIA_JOURNAL", str(file))
    monkeypatch.setenv("COLUMNS", "200")
    return file


@pytest.fixture
def tool(tmp_path: Path) -> str:
    file = tmp_path / "weather.py"
    file.write_text('def get_weather(city: str) -> str:\n    """Get it."""\n    return "clear"\n')
    return f"{file}:get_weather"


async def ossia(*words: str, stdin: str = "", code: int = 0) -> str:
    """Run a command and return what it prints; for exit code 2 (wrong usage), the error.

    The command has its own event loop, so it runs in a thread.
    """
    call = partial(CliRunner().invoke, app, words, input=stdin, catch_exceptions=False)
    done = await to_thread.run_sync(call)
    assert done.exit_code == code, done.output
    return done.stderr if code == 2 else done.stdout


@asynccontextmanager
async def server(*replies: Reply, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[FakeVLLM]:
    async with open_fake_vllm(replies) as fake:
        monkeypatch.setenv("OSSIA_ENGINE", fake.url)
        yield fake


async def list_runs() -> list[dict[str, Any]]:
    return list(json.loads(await ossia("runs", "--json")))


async def test_a_failed_run_is_listed_and_resumed(
    tool: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with server(Reply(turn=CALL), Reply(status=400), monkeypatch=monkeypatch):
        with pytest.raises(OssiaError):
            await ossia("run", "How is the weather?", "--tool", tool)
    (run,) = await list_runs()
    assert (run["status"], run["task"]) == ("failed", "How is the weather?")
    async with server(answer("It is clear."), monkeypatch=monkeypatch) as fake:
        shown = await ossia("resume", run["run_id"], "--engine", fake.url, "--quiet")
    assert shown == "It is clear.\n"
    (run,) = await list_runs()
    assert run["status"] == "answered"


async def test_runs_are_printed_as_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    async with server(answer("One."), answer("Two."), monkeypatch=monkeypatch):
        await ossia("run", "the first\ntask", "--quiet")
        await ossia("run", "the second \x1b[31mtask", "--quiet")
    heading, latest, first = (await ossia("runs")).splitlines()
    assert heading.split() == ["run", "started", "status", "steps", "seconds", "task"]
    assert latest.rstrip().endswith("the second ␛[31mtask")
    assert first.rstrip().endswith("the first task")
    assert len((await ossia("runs", "--number", "1")).splitlines()) == 2


async def test_the_error_for_an_unknown_run_lists_the_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with server(answer("One."), monkeypatch=monkeypatch):
        await ossia("run", "Hi", "--quiet")
    (run,) = await list_runs()
    with pytest.raises(JournalError, match=f"no run 'nosuch'.*{run['run_id']}"):
        await ossia("resume", "nosuch")


async def test_a_chat_keeps_its_messages_when_it_is_resumed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with server(answer("Hello Ann."), answer("Ann."), monkeypatch=monkeypatch) as fake:
        shown = await ossia("chat", stdin="I am Ann.\nWho am I?\n\nnever read\n")
    assert [line for line in shown.splitlines() if "·" not in line] == ["Hello Ann.", "Ann."]
    first, second = (request["prompt"] for request in fake.requests)
    assert second[: len(first)] == first
    assert len(second) > len(first)


async def test_a_chat_continues_after_a_failed_message(monkeypatch: pytest.MonkeyPatch) -> None:
    replies = (Reply(status=400, error="no such thing"), answer("Here."))
    async with server(*replies, monkeypatch=monkeypatch):
        shown = await ossia("chat", stdin="Hi\nAre you there?\n")
    assert "no such thing" in shown
    assert "Here." in shown


def results(file: Path) -> list[dict[str, Any]]:
    lines = map(json.loads, file.read_text().splitlines())
    return sorted(lines, key=lambda line: line["index"])


async def test_a_batch_writes_a_line_for_each_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, tasks = tmp_path / "results.jsonl", 'Say one.\n\n"Say\\ntwo."\n'
    async with server(answer("1"), answer("1"), monkeypatch=monkeypatch):
        await ossia("batch", "-", str(file), stdin=tasks)
    one, two = results(file)
    assert (one["task"], one["output"], one["error"]) == ("Say one.", "1", None)
    assert two["task"] == "Say\ntwo."
    assert {one["run_id"], two["run_id"]} == {run["run_id"] for run in await list_runs()}


async def test_a_second_batch_works_on_the_tasks_without_an_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, tasks = tmp_path / "results.jsonl", "one\ntwo\n"
    options = ("batch", "-", str(file), "--concurrency", "1")
    async with server(answer("1"), Reply(status=400), monkeypatch=monkeypatch):
        await ossia(*options, stdin=tasks, code=1)
    assert [line["error"] is None for line in results(file)] == [True, False]
    async with server(answer("2"), monkeypatch=monkeypatch) as fake:
        await ossia(*options, stdin=tasks)
    assert len(fake.requests) == 1
    assert [line.get("output") for line in results(file)] == ["1", None, "2"]


async def test_only_a_line_feed_ends_a_task_and_a_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = "a\u2028b\u2029c\x85d\x0ce\x1ef"
    file, tasks = tmp_path / "results.jsonl", f"\ufeff{json.dumps(task)}\r\n{task}\nlast\n"
    async with server(answer(task), answer(task), answer("1"), monkeypatch=monkeypatch):
        await ossia("batch", "-", str(file), "-c", "1", stdin=tasks)
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").split("\n") if line]
    assert [line["task"] for line in lines] == [task, task, "last"]
    assert [line["output"] for line in lines] == [task, task, "1"]
    # Nothing is left to do: the file is read as it was written.
    async with server(monkeypatch=monkeypatch) as fake:
        await ossia("batch", "-", str(file), stdin=tasks)
    assert fake.requests == []


async def test_a_lone_surrogate_in_a_task_becomes_a_replacement_character(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "results.jsonl"
    async with server(answer("1"), monkeypatch=monkeypatch):
        await ossia("batch", "-", str(file), stdin='"a\\ud800b"\n')
    assert results(file)[0]["task"] == "a\ufffdb"


async def test_tasks_that_are_not_utf_8_are_an_error_with_the_line(tmp_path: Path) -> None:
    file = tmp_path / "tasks.txt"
    file.write_bytes(b"one\ncaf\xe9\n")
    output = await ossia("batch", str(file), str(tmp_path / "results"), code=2)
    assert "line 2 of the file of tasks is not UTF-8 text" in " ".join(output.split())


@pytest.mark.parametrize(
    "existing", ["no json\n", '{"index": 0, "task": "another"}\n', '{"index": 7, "task": "one"}\n']
)
async def test_results_of_other_tasks_are_not_overwritten(tmp_path: Path, existing: str) -> None:
    file = tmp_path / "results.jsonl"
    file.write_text(existing)
    output = await ossia("batch", "-", str(file), stdin="one\n", code=2)
    assert f"line 1 of {file} is not a result of these tasks" in " ".join(output.split())
    assert file.read_text() == existing


async def test_a_task_line_that_is_not_a_json_string_is_an_error(tmp_path: Path) -> None:
    output = await ossia("batch", "-", str(tmp_path / "results"), stdin='one\n"two\n', code=2)
    assert "line 2 is not a JSON string" in output


@pytest.mark.parametrize("command", [("run", "Hi"), ("chat",)])
async def test_the_api_key_is_never_stored(
    command: Sequence[str], journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with server(answer("Hello."), monkeypatch=monkeypatch) as fake:
        await ossia(*command, "--api-key", "sk-planted", stdin="Hi\n")
    assert fake.headers[-1]["authorization"] == "Bearer sk-planted"
    written = b"".join(file.read_bytes() for file in journal.parent.glob("journal.db*"))
    assert b"Hi" in written
    assert b"sk-planted" not in written


async def test_a_server_that_has_stopped_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    async with server(Reply(status=400), monkeypatch=monkeypatch):
        with pytest.raises(OssiaError):
            await ossia("run", "Hi")
    (run,) = await list_runs()
    with pytest.raises(EngineUnavailableError):
        await ossia("resume", run["run_id"])

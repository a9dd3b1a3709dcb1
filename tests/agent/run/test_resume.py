"""A run that was killed, cancelled or failed continues where it stopped."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest

from ossia.agent import Agent, Event, Limits, RunFinished, Sampled, ToolCallFinished, TurnRequest
from ossia.agent.journal import Journal, MemoryJournal, Record, SQLiteJournal
from ossia.agent.testing import ScriptedEngine, answer_turn, call_turn, harmony_tokens, python_turn
from ossia.errors import EngineError, JournalError, OssiaError, RunFacts
from ossia.harmony import Message, decode
from ossia.sandbox import UnsafeLocalSandbox
from ossia.tools import PythonTool, tool

ANSWER = answer_turn("It is done.")


def call(name: str) -> list[int]:
    return call_turn(name, reasoning="Next.")


class Killed(BaseException):
    """Stands for the end of the process: nothing after it is recorded."""


class DyingJournal(MemoryJournal):
    """A journal whose process ends at an append: before the records are durable, or after it."""

    def __init__(self, at: int, *, after: bool) -> None:
        super().__init__()
        self.at = at
        self.after = after
        self.appends = 0

    async def append(
        self, run_id: str, number: int, records: Sequence[Record], blobs: Sequence[bytes] = ()
    ) -> None:
        self.appends += 1
        if self.appends == self.at and not self.after:
            raise Killed
        await super().append(run_id, number, records, blobs)
        if self.appends == self.at:
            raise Killed


class Counters:
    """Tools that count how often they run."""

    def __init__(self) -> None:
        self.counts = {"look": 0, "pay": 0}

    @property
    def tools(self) -> list[Any]:
        @tool(idempotent=True)
        def look() -> str:
            """Look."""
            self.counts["look"] += 1
            return f"seen {'again' if self.counts['pay'] else 'first'}"

        @tool
        def pay() -> str:
            """Pay."""
            self.counts["pay"] += 1
            return "paid"

        return [look, pay]


TURNS = [call("look"), call("pay"), call("look"), ANSWER]


class PromptEngine(ScriptedEngine):
    """An engine whose turn depends only on the prompt: turn n follows n calls."""

    def __init__(self) -> None:
        super().__init__([])

    async def generate(self, request: TurnRequest) -> AsyncGenerator[Sampled]:
        self.requests.append(request)
        turn = TURNS[decode(request.prompt).count("to=assistant")]
        yield Sampled(tokens=tuple(turn), finish="stop")


async def last_run(journal: Journal) -> str:
    (run,) = await journal.runs()
    return run.run_id


async def messages_without_crash() -> tuple[Message, ...]:
    return (await Agent(PromptEngine(), tools=Counters().tools).run("Go.")).messages


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", range(2, 10))
async def test_a_run_continues_after_a_crash_at_any_record(at: int, *, after: bool) -> None:
    journal, counters = DyingJournal(at, after=after), Counters()
    agent = Agent(PromptEngine(), tools=counters.tools, journal=journal)
    with pytest.raises(Killed):
        await agent.run("Go.")
    result = await agent.resume(await last_run(journal))
    assert result.output == "It is done."
    if "interrupted" not in str([message.text for message in result.messages]):
        assert result.messages == await messages_without_crash()
    assert counters.counts["pay"] <= 1
    assert 2 <= counters.counts["look"] <= 3
    assert result.usage.steps == 4


async def test_the_model_reads_that_a_call_was_interrupted() -> None:
    # The fifth record is the turn that asks for the payment.
    journal, counters = DyingJournal(4, after=True), Counters()
    agent = Agent(PromptEngine(), tools=counters.tools, journal=journal)
    with pytest.raises(Killed):
        await agent.run("Go.")
    result = await agent.resume(await last_run(journal))
    assert counters.counts["pay"] == 0
    texts = [message.text for message in result.messages if message.name == "functions.pay"]
    assert "The call was interrupted and may have run partially." in texts[0]
    assert result.usage.tool_calls == 2


async def test_a_run_continues_from_what_a_failed_engine_sampled() -> None:
    class BreakingEngine(ScriptedEngine):
        async def generate(self, request: TurnRequest) -> AsyncGenerator[Sampled]:
            self.requests.append(request)
            if len(self.prompts) == 1:
                tokens = harmony_tokens("<|channel|>analysis<|message|>Hm.<|end|><|start|>assist")
                yield Sampled(tokens=tuple(tokens))
                raise EngineError("on fire")
            yield Sampled(tokens=tuple(ANSWER), finish="stop")

    engine = BreakingEngine([])
    agent = Agent(engine, journal=MemoryJournal())
    assert agent.journal is not None
    with pytest.raises(EngineError):
        await agent.run("Go.")
    (run,) = await agent.journal.runs()
    assert (run.status, run.failure) == ("failed", "EngineError: on fire")
    result = await agent.resume(run.run_id)
    assert result.output == "It is done."
    first, second = engine.prompts
    thought = harmony_tokens("<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant")
    assert second == first + thought


async def test_resuming_a_finished_run_returns_its_result_without_the_engine(
    tmp_path: Path,
) -> None:
    agent = Agent(PromptEngine(), tools=Counters().tools, journal=SQLiteJournal(tmp_path / "j.db"))
    first = await agent.run("Go.")
    again = await Agent(
        ScriptedEngine([]), tools=Counters().tools, journal=SQLiteJournal(tmp_path / "j.db")
    ).resume(first.run_id)
    assert (again.output, again.messages) == (first.output, first.messages)
    assert again.usage == first.usage


async def test_only_an_agent_like_the_first_resumes_a_run() -> None:
    journal = MemoryJournal()
    first = await Agent(ScriptedEngine([ANSWER]), journal=journal).run("Go.")
    other = Agent(ScriptedEngine([]), instructions="Be brief.", journal=journal)
    with pytest.raises(JournalError, match="other instructions, tools or another output type"):
        await other.resume(first.run_id)


async def test_an_agent_without_a_journal_cannot_resume() -> None:
    with pytest.raises(JournalError, match="journal=SQLiteJournal"):
        await Agent(ScriptedEngine([])).resume("a")


async def test_resuming_a_run_takes_it_over_from_another_task() -> None:
    journal = MemoryJournal()
    waiting, released = anyio.Event(), anyio.Event()

    async def wait() -> str:
        """Wait."""
        waiting.set()
        await released.wait()
        return "waited"

    slow = Agent(ScriptedEngine([call("wait")]), tools=[wait], journal=journal)
    taker = Agent(ScriptedEngine([ANSWER]), tools=[wait], journal=journal)
    ended: list[OssiaError] = []

    async def work() -> None:
        try:
            await slow.run("Go.")
        except JournalError as error:
            ended.append(error)

    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            group.start_soon(work)
            await waiting.wait()
            assert (await taker.resume(await last_run(journal))).output == "It is done."
            released.set()
    assert "was resumed elsewhere" in str(ended[0])


async def test_files_and_python_continue(tmp_path: Path) -> None:
    journal = SQLiteJournal(tmp_path / "j.db")
    write = python_turn("x = 1; open('a.txt', 'w').write('hi')")
    read = python_turn("print(open('a.txt').read())")
    python = PythonTool(UnsafeLocalSandbox)
    first = Agent(ScriptedEngine([write, EngineError("gone")]), tools=[python], journal=journal)
    with pytest.raises(EngineError):
        await first.run("Go.")
    second = Agent(ScriptedEngine([read, ANSWER]), tools=[python], journal=journal)
    result = await second.resume(await last_run(journal))
    results = [message.text for message in result.messages if message.name == "python"]
    assert "Variables and imports are lost" in results[1]
    assert results[1].endswith("hi")
    assert [(file.path, file.data) for file in result.files] == [("/mnt/data/a.txt", b"hi")]


async def test_a_fork_starts_with_the_first_steps_of_another_run() -> None:
    journal, counters = MemoryJournal(), Counters()
    agent = Agent(PromptEngine(), tools=counters.tools, journal=journal)
    first = await agent.run("Go.")
    other = answer_turn("Something else.")
    fork = Agent(
        ScriptedEngine([other]), tools=counters.tools, instructions="New.", journal=journal
    )
    result = await fork.fork(first.run_id, step=2)
    assert result.run_id != first.run_id
    assert result.output == "Something else."
    assert counters.counts == {"look": 2, "pay": 1}
    calls = [message.recipient for message in result.messages if message.role == "assistant"]
    assert [call for call in calls if call] == ["functions.look", "functions.pay"]
    with pytest.raises(JournalError, match="has 4 steps; it does not have step 9"):
        await fork.fork(first.run_id, step=9)


async def test_a_cancelled_run_has_its_messages_and_can_be_resumed() -> None:
    journal = MemoryJournal()
    thinking = anyio.Event()

    class Thinking(ScriptedEngine):
        async def generate(self, request: TurnRequest) -> AsyncGenerator[Sampled]:
            yield Sampled(tokens=tuple(harmony_tokens("<|channel|>analysis<|message|>A thought")))
            thinking.set()
            await anyio.sleep_forever()

    found: list[RunFacts | None] = []

    async def work() -> None:
        try:
            await Agent(Thinking([]), journal=journal).run("Go.")
        except anyio.get_cancelled_exc_class() as cancelled:
            found.append(RunFacts.of(cancelled))
            raise

    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            group.start_soon(work)
            await thinking.wait()
            group.cancel_scope.cancel()
    (run,) = found
    assert run is not None
    assert [message.text for message in run.messages][-2:] == ["Go.", "A thought"]
    agent = Agent(ScriptedEngine([ANSWER]), journal=journal)
    assert (await agent.resume(run.run_id)).output == "It is done."


async def test_the_time_before_a_resume_is_not_counted() -> None:
    journal = MemoryJournal()
    agent = Agent(ScriptedEngine([EngineError("gone"), ANSWER]), journal=journal)
    with pytest.raises(EngineError):
        await agent.run("Go.")
    (run,) = await journal.runs()
    limited = Agent(ScriptedEngine([ANSWER]), journal=journal, limits=Limits(seconds=60))
    result = await limited.resume(run.run_id)
    assert run.seconds <= result.seconds < 60


async def test_a_resumed_run_has_events() -> None:
    journal, counters = DyingJournal(3, after=False), Counters()
    agent = Agent(PromptEngine(), tools=counters.tools, journal=journal)
    with pytest.raises(Killed):
        await agent.run("Go.")
    async with agent.stream_resumed(await last_run(journal)) as run:
        events: list[Event] = [event async for event in run]
    finished = [event for event in events if isinstance(event, ToolCallFinished)]
    assert [(event.recipient, event.step) for event in finished] == [
        ("functions.look", 1),
        ("functions.pay", 2),
        ("functions.look", 3),
    ]
    assert isinstance(events[-1], RunFinished)


async def test_a_run_with_an_output_stays_answered_when_it_is_resumed_or_repeated(
    tmp_path: Path,
) -> None:
    async with SQLiteJournal(tmp_path / "runs.db") as journal:
        agent = Agent(ScriptedEngine([answer_turn("Done.")]), journal=journal)
        await agent.run("Go", run_id="a run")
        records = await journal.read("a run")
        for again in (agent.resume("a run"), agent.run("Go", run_id="a run")):
            assert (await again).output == "Done."
        assert await journal.read("a run") == records
        assert [run.status for run in await journal.runs()] == ["answered"]

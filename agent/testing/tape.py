"""A run on tape: played again without engine or tools, to test an agent or to look into a run."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from ...errors import JournalError
from ...harmony import Message, SystemContent, decode
from ...tools import RunContext, Toolbox, ToolResult
from ..agent import Agent
from ..config import OutputT
from ..engines import Sampled, Sampling
from ..journal import (
    ContextTrimmed,
    Journal,
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
from ..limits import Limits
from ..result import RunResult
from ..run import CUT, Meter, Run, RunRecorder, State, finished, opening, tools_of

SHOWN_TOKENS = 30
"""How much of two prompts is shown where they part."""


class Tape:
    """The records of a run that was answered, from a journal or a file.

    A real run becomes a test: save its tape beside the test, and replay it with the agent of today.

        tape = await Tape.of(journal, run_id)
        tape.save("tests/tapes/weather.jsonl")

        async def test_weather() -> None:
            tape = Tape.load("tests/tapes/weather.jsonl")
            assert (await tape.replay(agent)).messages == tape.messages

    The file holds the whole run, reasoning included.
    """

    def __init__(self, records: Iterable[Record]) -> None:
        self.records = tuple(records)
        # Which processes worked on the run is no part of its course.
        self._course = [one for one in self.records if not isinstance(one, RunResumed | RunFailed)]
        self.prompts: list[list[int]] = []
        """What the engine was asked, turn by turn; token ids."""
        state = State()
        for record in self.records:
            if isinstance(record, TurnSampled):
                self.prompts.append(state.shown.prompt())
            state.apply(record)
        if state.answer is None:
            raise JournalError("the run on this tape has no answer yet; resume it first")
        self.messages = tuple(state.transcript.messages)
        """The whole run."""

    @classmethod
    async def of(cls, journal: Journal, run_id: str) -> Tape:
        """A run's tape. Raises JournalError if the run is not in the journal, or has no answer."""
        return cls(await journal.read(run_id))

    @classmethod
    def load(cls, path: str | Path) -> Tape:
        """Read what `save` wrote."""
        return cls(map(from_json, Path(path).read_bytes().splitlines()))

    def save(self, path: str | Path) -> None:
        """Write the records as lines of JSON; folders are made."""
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(b"".join(to_json(record) + b"\n" for record in self.records))

    async def replay(self, agent: Agent[OutputT]) -> RunResult[OutputT]:
        """Run the agent's loop over the tape, touching neither its engine nor its tools.

        What was sampled is sampled again, and what the tools answered is answered. The result has
        no files and no citations: it takes the tools to give them.

        Raises AssertionError, with the place, where a prompt is not the recorded one: the agent's
        instructions, its tools or its format have changed.
        """
        state, opened = State(), self._course[0]
        assert isinstance(opened, RunOpened), "a run's first record opens it"
        played = replace(
            agent,
            engine=_Engine(self),
            journal=None,
            today=_day_of(opened),
            # What the limits did is on the tape, but for the words about calls that go in circles.
            limits=Limits(steps=None, repeats=agent.limits.repeats),
        )
        toolbox = _Answers(tools_of(agent, state), self._course)
        meter = Meter(played.limits, state)
        book = _Book("replay", state, meter, toolbox, None, self._course, _unasked(self._course))
        run = Run(played, book)
        task = [one for one in opened.messages if one.role not in {"system", "developer"}]
        said = opening(played, toolbox, agent.output_format.response_formats, task)
        await book.record(opened.model_copy(update={"messages": tuple(said)}))
        if task:
            await _drain(run)
        for record in self._course:
            if isinstance(record, UserMessageAdded) and record.origin == "user":
                await run.ask(record.message)
                await _drain(run)
        return await finished(run)


class _Engine:
    """Plays the turns of a tape, and holds each prompt to the recorded one."""

    def __init__(self, tape: Tape) -> None:
        taken = (record for record in tape.records if isinstance(record, TurnSampled))
        self._turns = list(zip(tape.prompts, taken, strict=True))
        self._count = 0

    async def generate(
        self,
        prompt: Sequence[int],
        sampling: Sampling,  # noqa: ARG002 - what was sampled is on the tape
    ) -> AsyncGenerator[Sampled]:
        assert self._count < len(self._turns), f"the tape has no turn number {self._count + 1}"
        recorded, turn = self._turns[self._count]
        self._count += 1
        # The header of an answer at a limit was written for the model; its turn begins with it.
        written = len(prompt) - len(recorded)
        assert list(prompt[: len(recorded)]) == recorded, _parted(self._count, prompt, recorded)
        yield Sampled(tokens=turn.tokens[written:])
        yield Sampled(finish="length" if turn.discard_reason == CUT else "stop")


class _Answers(Toolbox):
    """Answers calls from a tape; the tools only say what there is to call."""

    def __init__(self, tools: Sequence[Any], records: Sequence[Record]) -> None:
        super().__init__(tools)
        self._calls = iter([record for record in records if isinstance(record, ToolResultRecorded)])

    async def call(
        self,
        call: Message,
        context: RunContext[Any] | None = None,  # noqa: ARG002 - no tool is run
    ) -> ToolResult:
        """What the tape says."""
        ended = next(self._calls, None)
        assert ended is not None, f"the tape has no answer to {call.recipient}: {call.text}"
        text = ended.message.text.removesuffix(
            f"\n{ended.repeat_notice}" if ended.repeat_notice else ""
        )
        return ToolResult(replace(ended.message, content=text), ended.failed, ended.seconds)


@dataclass(frozen=True)
class _Book(RunRecorder):
    """Adds what the loop cannot know by itself: what a clock or a full window made of the run."""

    course: Sequence[Record]
    unasked: Mapping[int, Record]

    async def record(self, *records: Record, blobs: Sequence[bytes] = ()) -> None:
        first = self.state.count
        recorded = [self._as_recorded(record, first + i) for i, record in enumerate(records)]
        await super().record(*recorded, blobs=blobs)
        while (due := self.unasked.get(self.state.count)) is not None:
            self.state.apply(due)

    def _as_recorded(self, record: Record, at: int) -> Record:
        """Return a record with the loop's own texts as recorded, since their wording may change."""
        recorded = self.course[at] if at < len(self.course) else None
        texts: dict[str, Any] = {}
        if isinstance(record, UserMessageAdded) and isinstance(recorded, UserMessageAdded):
            if record.origin == recorded.origin == "rejection":
                texts = {"message": recorded.message}
        elif (
            isinstance(record, ToolResultRecorded)
            and isinstance(recorded, ToolResultRecorded)
            and record.repeat_notice
            and recorded.repeat_notice
        ):
            texts = {"message": recorded.message, "repeat_notice": recorded.repeat_notice}
        return record.model_copy(update=texts)


def _unasked(course: Sequence[Record]) -> dict[int, Record]:
    """By their place, the records that come of limits and of the window."""
    return {
        at: record
        for at, record in enumerate(course)
        if isinstance(record, ContextTrimmed)
        or (isinstance(record, UserMessageAdded) and record.origin == "limit")
    }


def _day_of(opened: RunOpened) -> date | None:
    """The date that the model was told."""
    for message in opened.messages:
        if isinstance(message.content, SystemContent) and message.content.conversation_start_date:
            return date.fromisoformat(message.content.conversation_start_date)
    return None


def _parted(turn: int, prompt: Sequence[int], recorded: Sequence[int]) -> str:
    """Where two prompts part, for whoever reads the failed test."""
    pairs = enumerate(zip(prompt, recorded, strict=False))
    at = next((at for at, (one, other) in pairs if one != other), min(len(prompt), len(recorded)))
    shown = slice(max(0, at - SHOWN_TOKENS // 2), at + SHOWN_TOKENS // 2)
    return (
        f"the prompt of turn {turn} is not the recorded one; they part at token {at}:\n"
        f"recorded: …{decode(recorded[shown])}…\n"
        f"now:      …{decode(list(prompt[shown]))}…"
    )


async def _drain(run: Run[Any]) -> None:
    async for _ in run.events():
        pass

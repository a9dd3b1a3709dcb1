"""A recorded run that can be replayed without engine and tools."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from ...errors import JournalError
from ...harmony import Event as ParserEvent
from ...harmony import Message, SystemContent, decode
from ...tools import RunContext, Toolbox, ToolCall, ToolResult
from ..agent import Agent
from ..config import OutputT
from ..engines import Sampled, TurnRequest
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
from ..run import (
    CUT_OFF,
    Meter,
    Run,
    RunRecorder,
    RunState,
    continued_instructions,
    opening_messages,
    tools_of,
)

DIFF_TOKENS = 30
"""How many tokens of two prompts are shown around their first difference."""


class Tape:
    """The records of a finished run, from a journal or a file.

    A real run becomes a test: save its tape next to the test, and replay it with today's agent.

        tape = await Tape.of(journal, run_id)
        tape.save("tests/tapes/weather.jsonl")

        async def test_weather() -> None:
            tape = Tape.load("tests/tapes/weather.jsonl")
            assert (await tape.replay(agent)).messages == tape.messages

    The file has the whole run, including reasoning.
    """

    def __init__(self, records: Iterable[Record]) -> None:
        self.records = tuple(records)
        # Which processes worked on the run makes no difference to a replay.
        self._course = [
            record for record in self.records if not isinstance(record, RunResumed | RunFailed)
        ]
        self.prompts: list[list[int]] = []
        """The engine's prompts, turn by turn; token ids."""
        state = RunState()
        for record in self.records:
            if isinstance(record, TurnSampled):
                self.prompts.append(state.conversation.prompt_transcript.prompt())
            state.apply(record)
        if state.position.answer is None:
            raise JournalError("this run has not finished; resume it first")
        self.messages = tuple(state.conversation.transcript.messages)
        """The whole run."""

    @classmethod
    async def of(cls, journal: Journal, run_id: str) -> Tape:
        """Return the tape of a run.

        Raises JournalError if the run is not in the journal or has not finished.
        """
        return cls(await journal.read(run_id))

    @classmethod
    def load(cls, path: str | Path) -> Tape:
        """Read a file that `save` wrote."""
        return cls(map(from_json, Path(path).read_bytes().splitlines()))

    def save(self, path: str | Path) -> None:
        """Write the records as lines of JSON; missing folders are created."""
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(b"".join(to_json(record) + b"\n" for record in self.records))

    async def replay(self, agent: Agent[OutputT]) -> RunResult[OutputT]:
        """Run the agent's loop over the tape, without its engine, tools and hooks.

        The engine's turns and the tools' results come from the tape. The result has no files and no
        citations, because only the tools could provide them.

        Raises AssertionError, with the place, if a prompt differs from the recorded one: then the
        agent's instructions, tools or output type have changed.
        """
        state, opened = RunState(), self._course[0]
        assert isinstance(opened, RunOpened), "a run's first record is RunOpened"
        replayed = replace(
            agent,
            engine=_TapeEngine(self),
            journal=None,
            hooks=(),
            today=_date_of(opened),
            # What limits did is on the tape, except for the notices about repeated calls.
            limits=Limits(steps=None, repeats=agent.limits.repeats),
        )
        toolbox = _TapeToolbox(tools_of(agent, state), self._course)
        recorder = _TapeRecorder(toolbox, Meter(replayed.limits, state), state, self._course)
        run = Run(replayed, recorder)
        task = [
            message for message in opened.messages if message.role not in {"system", "developer"}
        ]
        instructions = continued_instructions(replayed, opened.messages)
        messages = opening_messages(replayed, toolbox, task, instructions)
        await recorder.record(opened.model_copy(update={"messages": tuple(messages)}))
        result = await run.execute() if task else None
        for record in self._course:
            if isinstance(record, UserMessageAdded) and record.origin == "user":
                result = await run.execute(record.message)
        assert result is not None, "a finished run has a task or a user message"
        return result


class _TapeEngine:
    """Plays the turns of a tape, and compares each prompt with the recorded one."""

    def __init__(self, tape: Tape) -> None:
        turns = (record for record in tape.records if isinstance(record, TurnSampled))
        self._turns = list(zip(tape.prompts, turns, strict=True))
        self._count = 0

    async def generate(self, request: TurnRequest) -> AsyncGenerator[Sampled]:
        assert self._count < len(self._turns), f"the tape does not have turn {self._count + 1}"
        recorded, turn = self._turns[self._count]
        self._count += 1
        # At a limit, the answer's header is part of the prompt, and the recorded turn starts with
        # it.
        written = len(request.prompt) - len(recorded)
        prompt = list(request.prompt[: len(recorded)])
        assert prompt == recorded, _first_difference(self._count, request.prompt, recorded)
        yield Sampled(tokens=turn.tokens[written:])
        yield Sampled(finish="length" if turn.discard_reason in _CUT_OFF else "stop")


_CUT_OFF = {CUT_OFF, "it was cut"}
"""Why a turn was discarded that was cut off, in this version's and in the previous one's words."""


class _TapeToolbox(Toolbox):
    """Returns tool results from a tape; the tools are only declared."""

    def __init__(self, tools: Sequence[Any], records: Sequence[Record]) -> None:
        super().__init__(tools)
        self._results = iter(
            [record for record in records if isinstance(record, ToolResultRecorded)]
        )

    async def call(
        self,
        call: Message | ToolCall,
        context: RunContext[Any] | None = None,  # noqa: ARG002 - no tool runs
    ) -> ToolResult:
        """Return the recorded result."""
        message = call.message if isinstance(call, ToolCall) else call
        recorded = next(self._results, None)
        assert recorded is not None, (
            f"the tape does not have a result for {message.recipient}: {message.text}"
        )
        notice = recorded.repeat_notice
        text = recorded.message.text.removesuffix(f"\n{notice}" if notice else "")
        return ToolResult(
            replace(recorded.message, content=text), recorded.failed, recorded.seconds
        )


class _TapeRecorder(RunRecorder):
    """Adds the records that come from a clock or a full window, which the loop cannot repeat."""

    def __init__(
        self, toolbox: Toolbox, meter: Meter, state: RunState, course: Sequence[Record]
    ) -> None:
        super().__init__("replay", state, meter, toolbox, None)
        self._course = course
        self._unrepeatable = _unrepeatable(course)

    async def record(
        self,
        *records: Record,
        blobs: Sequence[bytes] = (),
        events: Sequence[ParserEvent] | None = None,
    ) -> None:
        first = self.state.count
        recorded = [self._as_recorded(record, first + i) for i, record in enumerate(records)]
        await super().record(*recorded, blobs=blobs, events=events)
        while (record := self._unrepeatable.get(self.state.count)) is not None:
            self.state.apply(record)

    def _as_recorded(self, record: Record, at: int) -> Record:
        """Return a record with the loop's own texts as recorded, since their wording may change."""
        recorded = self._course[at] if at < len(self._course) else None
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


def _unrepeatable(course: Sequence[Record]) -> Mapping[int, Record]:
    """Return the records that come from limits and from the window, by index."""
    return {
        at: record
        for at, record in enumerate(course)
        if isinstance(record, ContextTrimmed)
        or (isinstance(record, UserMessageAdded) and record.origin == "limit")
    }


def _date_of(opened: RunOpened) -> date | None:
    """Return the date that the model was told."""
    for message in opened.messages:
        if isinstance(message.content, SystemContent) and message.content.conversation_start_date:
            return date.fromisoformat(message.content.conversation_start_date)
    return None


def _first_difference(turn: int, prompt: Sequence[int], recorded: Sequence[int]) -> str:
    """Return where two prompts differ, for the message of a failed test."""
    pairs = enumerate(zip(prompt, recorded, strict=False))
    at = next((at for at, (new, old) in pairs if new != old), min(len(prompt), len(recorded)))
    around = slice(max(0, at - DIFF_TOKENS // 2), at + DIFF_TOKENS // 2)
    return (
        f"the prompt of turn {turn} is not the recorded one; they differ from token {at}:\n"
        f"recorded: …{decode(recorded[around])}…\n"
        f"now:      …{decode(list(prompt[around]))}…"
    )

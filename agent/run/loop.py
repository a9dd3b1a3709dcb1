"""The loop: render, sample, parse, act, until the model answers."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractContextManager, aclosing
from dataclasses import replace
from time import monotonic
from typing import Any, Generic

from structlog.contextvars import bound_contextvars

from ...errors import EngineError, LimitExceeded, OutputError, TurnError
from ...harmony import Message
from ...harmony.constrain import answer_grammar, turn_grammar
from ...harmony.rendering import answer_header
from ...tools import RunContext
from ..config import AgentConfig, OutputT
from ..engines import Sampled, Sampling
from ..events import (
    AnswerRejected,
    Event,
    EventPosition,
    LimitReached,
    PromptTrimmed,
    StepFinished,
    StepStarted,
    ToolCallFinished,
    TurnDiscarded,
)
from ..journal import OutputAccepted
from ..output import RejectedAnswer
from .event_translator import EventTranslator
from .recorder import RunRecorder
from .trimmer import Trimmer
from .turn import Turn

HURRY = (
    "This run has reached its limit, and no tool can be called any more. Answer now, with what you "
    "know, and say what is missing."
)
INTERRUPTED = (
    "it was interrupted, and nobody knows how far it got. Find out what it has done before you "
    "make it again"
)


class Run(Generic[OutputT]):
    """One run of an agent, from where its records end to the model's answer."""

    def __init__(self, agent: AgentConfig[OutputT], book: RunRecorder, deps: object = None) -> None:
        self.book = book
        self.state = book.state
        self.outputs: list[OutputT] = []
        """The accepted answers, as the asked type."""
        self.turn: Turn | None = None
        """What the model is writing at the moment."""
        self._agent = agent
        self._deps = deps
        self._toolbox = book.toolbox
        self._meter = book.meter
        self._trimmer = Trimmer(agent, book)
        self._turn_grammar: tuple[object, dict[str, Any]] | None = None
        """What the last turn was held to, and the tools that it was made for."""
        self._interrupted = book.state.call
        """The call that another process was killed at."""

    async def events(self) -> AsyncGenerator[Event]:
        """Everything that happens until the model has answered, in order."""
        while self.state.answer is None:
            try:
                async with aclosing(self._step()) as told:
                    async for event in told:
                        yield event
            except LimitExceeded as reached:
                yield await self._hurry(reached)

    async def _step(self) -> AsyncGenerator[Event]:
        """A turn of the model, and what comes of it."""
        state = self.state
        if state.call is None and state.final is None:
            self._meter.check_turn()
            if trimmed := await self._trimmer.make_room():
                yield PromptTrimmed(**self.stamp, before=trimmed.before, after=trimmed.after)
            prompt = self._render()
            turn = self.turn = Turn(self._toolbox.recipients, len(prompt))
            yield StepStarted(**self.stamp, prompt_tokens=len(prompt))
            async with aclosing(self._sample(prompt, turn)) as told:
                async for event in told:
                    yield event
            if discarded := await self._parse(turn):
                yield discarded
        if state.call is not None:
            yield await self._act(state.call)
        elif state.final is not None and (rejected := await self._judge(state.final)):
            yield rejected
        yield StepFinished(**self.stamp, usage=state.step_usage)

    def _render(self) -> Sequence[int]:
        """The prompt of the next turn; for the last answer of a run, with its header."""
        prompt = self.state.shown.view()
        return prompt if self.state.limit is None else [*prompt, *answer_header()]

    async def _sample(self, prompt: Sequence[int], turn: Turn) -> AsyncGenerator[Event]:
        """Have the engine write one turn, and read it as it comes."""
        if self.state.limit is not None:
            turn.read(Sampled(tokens=answer_header()))
        told = EventTranslator(self._agent.output_format.partial())
        began = monotonic()
        try:
            async with aclosing(self._agent.engine.generate(prompt, self._sampling())) as pieces:
                while not turn.over and (piece := await self._next(pieces)) is not None:
                    turn.engine_s = monotonic() - began
                    for event in turn.read(piece):
                        for one in told.of(event, self.stamp):
                            yield one
        except (EngineError, LimitExceeded) as error:
            # Nothing that was sampled is lost: whoever resumes the run has it.
            turn.broken = str(error)
            await self._parse(turn)
            raise

    async def _parse(self, turn: Turn) -> TurnDiscarded | None:
        """Take the turn: a call, an answer, or one that leads nowhere and is sampled again."""
        await self.book.take(turn)
        self.turn = None
        if turn.fault is None:
            return None
        if turn.broken is None and self.state.discarded > self._agent.turn_retries:
            self._meter.check_turn()
            raise TurnError(
                f"{self.state.discarded} turns in a row led nowhere; the last one, of "
                f"{len(turn.tokens)} tokens: {turn.fault}. Allow more tokens, lower the reasoning, "
                "or look at the reasoning for what the model waits for"
            )
        return TurnDiscarded(**self.stamp, reason=turn.fault)

    async def _act(self, call: Message) -> ToolCallFinished:
        """Run one call; whatever comes of it, the model reads it next."""
        resolved = self._toolbox.resolve(call)
        self._meter.check_call(resolved.name)
        lost = call is self._interrupted and not resolved.idempotent
        if lost:
            answer = self._toolbox.refuse(resolved, INTERRUPTED)
        else:
            with self._bound():
                answer = await self._meter.within(self._toolbox.call(resolved, self._context))
        message = await self.book.end_call(call, answer, was_run=not lost)
        return ToolCallFinished(
            **self.stamp,
            recipient=call.recipient or "",
            text=message.text,
            failed=answer.failed,
            seconds=answer.seconds,
        )

    async def _judge(self, final: Message) -> AnswerRejected | None:
        """Take the answer if it is of the asked type; otherwise tell the model why it is not."""
        try:
            self.outputs.append(await self.output(final))
        except RejectedAnswer as rejected:
            faults = [*self.state.faults, str(rejected)]
            if len(faults) > self._agent.output_retries:
                raise OutputError(
                    f"after {len(faults)} answers none is of the asked type. The last one's "
                    f"faults:\n{rejected}",
                    answer=final.text,
                    faults=faults,
                ) from rejected
            told = Message("user", f"Your answer was not accepted:\n{rejected}")
            await self.book.tell(told, "rejection", reason=str(rejected))
            return AnswerRejected(**self.stamp, reason=str(rejected))
        await self.book.record(OutputAccepted(at_s=self._meter.seconds))
        return None

    async def _hurry(self, reached: LimitExceeded) -> LimitReached:
        """At a limit, have the model answer with what it knows, if the user wants that."""
        if self._agent.limits.then == "raise" or self.state.limit is not None:
            raise reached
        if (call := self.state.call) is not None:
            reason = "it was not finished: the run is at its limit"
            answer = self._toolbox.refuse(self._toolbox.resolve(call), reason)
            await self.book.end_call(call, answer, was_run=False)
        await self.book.tell(Message("user", HURRY), "limit", reason=reached.limit)
        return LimitReached(**self.stamp, limit=reached.limit, reason=str(reached))

    async def ask(self, message: Message) -> None:
        """Go on with something the user says. A call that nobody will answer is told to be lost."""
        self._meter.start()
        if (call := self.state.call) is not None:
            answer = self._toolbox.refuse(self._toolbox.resolve(call), INTERRUPTED)
            await self.book.end_call(call, answer, was_run=False)
        await self.book.tell(message, "user")

    async def output(self, final: Message) -> OutputT:
        """An answer as the asked type. Raises RejectedAnswer if it is not."""
        with self._bound():
            taken = self._agent.output_format.take(final.text, self._context)
            return await self._meter.within(taken)

    async def _next(self, pieces: AsyncGenerator[Sampled]) -> Sampled | None:
        with self._bound():
            return await self._meter.within(anext(pieces, None))

    def _sampling(self) -> Sampling:
        """How the next turn is sampled, and what it is held to: the tools offered now, the type."""
        budget, grammar = self._agent.reasoning_budget, self._grammar()
        held = replace(self._agent.sampling, reasoning_budget=budget, grammar=grammar)
        return self._meter.ration(held)

    def _grammar(self) -> dict[str, Any] | None:
        if not self._agent.grammar:
            return None
        schema = self._agent.output_format.schema
        if self.state.limit is not None:
            return None if schema is None else answer_grammar(schema)
        offered = (self._toolbox.functions, self._toolbox.namespaces)
        if self._turn_grammar is None or self._turn_grammar[0] != offered:
            functions, namespaces = offered
            grammar = turn_grammar(
                functions=functions,
                namespaces=namespaces,
                output_schema=schema,
                reasoning_budget=self._agent.reasoning_budget,
            )
            self._turn_grammar = (offered, grammar)
        return self._turn_grammar[1]

    @property
    def messages(self) -> list[Message]:
        """Everything that was said, what the model is writing at the moment included."""
        transcript = self.state.transcript
        if self.turn is not None:
            transcript = transcript.fork()
            transcript.append_sampled(self.turn.tokens, recipients=self.turn.recipients)
        return transcript.messages

    @property
    def stamp(self) -> EventPosition:
        """Where in the run the next event belongs."""
        return EventPosition(
            run_id=self.book.run_id, step=self._step_number, at_s=self._meter.seconds
        )

    @property
    def _step_number(self) -> int:
        return self.state.usage.steps + (self.turn is not None)

    @property
    def _context(self) -> RunContext[object]:
        return RunContext(deps=self._deps, run_id=self.book.run_id, step=self._step_number)

    def _bound(self) -> AbstractContextManager[object]:
        """What is logged in this block says which run and step it belongs to."""
        return bound_contextvars(run_id=self.book.run_id, step=self._step_number)

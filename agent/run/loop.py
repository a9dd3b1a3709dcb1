"""The loop of a run: render, sample, parse, call the tool, until there is an output."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, aclosing
from dataclasses import replace
from time import monotonic
from typing import Generic

import anyio
from structlog.contextvars import bound_contextvars

from ...errors import EngineError, LimitExceeded, OutputError, RunFacts, TurnError
from ...harmony import Message, turn_grammar
from ...harmony.constrain import answer_grammar
from ...harmony.rendering import answer_header
from ...tools import RunContext, ToolCall, ToolResult, is_cancelled
from ..config import AgentConfig, OutputT
from ..engines import Sampled, TurnRequest
from ..events import (
    AnswerRejected,
    Event,
    EventPosition,
    LimitReached,
    PromptTrimmed,
    RunFinished,
    RunStarted,
    StepFinished,
    StepStarted,
    ToolCallFinished,
    ToolCallReady,
    ToolCallsDropped,
    TurnDiscarded,
)
from ..hooks import Hook, Refusal
from ..journal import OutputAccepted
from ..output import RejectedAnswer
from ..result import RunResult
from ..switches import SWITCHES
from .event_translator import EventTranslator
from .hook_chain import HookChain
from .outcome import build_result, record_failure
from .recorder import RunRecorder
from .trimmer import Trimmer
from .turn import Turn

FORCE_ANSWER = (
    "You have reached the limit of this task and cannot call tools any more. Answer now with what "
    "you know, and say what is missing."
)
INTERRUPTED = (
    "The call was interrupted and may have run partially. Check its effects before calling it "
    "again."
)
NOT_FINISHED = "The call was not finished, because the limit of this task was reached."

Observer = Callable[[Event], Awaitable[None]]
"""Receives every event of a run, in order. The run waits for it."""


class Run(Generic[OutputT]):
    """One run of an agent, from where its records end to its output."""

    def __init__(
        self,
        agent: AgentConfig[OutputT],
        recorder: RunRecorder,
        deps: object = None,
        *,
        is_resumed: bool = False,
    ) -> None:
        self.agent = agent
        self.recorder = recorder
        self.state = recorder.state
        self.run_id = recorder.run_id
        self.turn: Turn | None = None
        """The turn that is being sampled."""
        self.outputs: list[OutputT] = []
        """The accepted outputs; a chat has several."""
        self.observers: list[Observer] = [
            hook.on_event for hook in agent.hooks if type(hook).on_event is not Hook.on_event
        ]
        self._hooks = HookChain(agent.hooks)
        self._deps = deps
        self._is_resumed = is_resumed
        self._toolbox = recorder.toolbox
        self._meter = recorder.meter
        self._trimmer = Trimmer(agent, recorder)
        self._turn_grammar: tuple[object, str] | None = None
        """The grammar of the last turn, and the tools that it was made for."""
        self._interrupted = self.state.position.pending_call
        """The tool call that was running when another process stopped."""

    async def execute(self, message: Message | None = None) -> RunResult[OutputT]:
        """Work until the model's answer is accepted; see `Agent.run` for what it raises.

        message: something new that the user says first.
        """
        async with record_failure(self.recorder, self.facts):
            if message is not None:
                await self._add_user_message(message)
            await self._emit(RunStarted(**self.event_position, is_resumed=self._is_resumed))
            position = self.state.position
            while position.answer is None:
                try:
                    if position.pending_call is None and position.candidate is None:
                        await self._sample_turn()
                    if position.pending_call is not None:
                        await self._call_tool(position.pending_call)
                    elif position.candidate is not None:
                        await self._validate_output(position.candidate)
                    usage = self.state.spending.step_usage
                    await self._emit(StepFinished(**self.event_position, usage=usage))
                except LimitExceeded as error:
                    await self._force_answer(error)
            if not self.outputs:  # another process accepted the answer
                self.outputs.append(await self._restore_output(position.answer))
            result = await build_result(self.recorder, self.outputs[-1])
            await self._emit(RunFinished(**self.event_position, result=result))
        return result

    async def _sample_turn(self) -> None:
        """Have the engine sample one turn, and read it as it arrives."""
        self._meter.check_turn()
        if trimmed := await self._trimmer.make_room():
            before, after = trimmed
            await self._emit(PromptTrimmed(**self.event_position, before=before, after=after))
        request = await self._request()
        turn = self.turn = Turn(self._toolbox.recipients, len(request.prompt))
        if self.state.position.limit is not None:
            turn.read(Sampled(tokens=answer_header()))
        await self._emit(StepStarted(**self.event_position, prompt_tokens=len(request.prompt)))
        partial = self.agent.output_format.partial_answer() if self.observers else None
        translator = EventTranslator(self.call_id, partial)
        started = monotonic()
        try:
            with self._meter.with_deadline(), self._log_context():
                async with aclosing(self.agent.engine.generate(request)) as pieces:
                    async for piece in pieces:
                        turn.engine_s = monotonic() - started
                        events = turn.read(piece)
                        if self.observers:
                            for event in events:
                                await self._emit(*translator.translate(event, self.event_position))
                        if turn.is_over:
                            break
        except (Exception, GeneratorExit, anyio.get_cancelled_exc_class()) as error:  # noqa: BLE001
            failure = self._engine_failure(error)
            turn.failure = str(failure) or type(failure).__name__
            # Nothing that was sampled is lost: a resumed run continues from it.
            await self._record_turn(turn)
            raise failure from failure.__cause__
        await self._record_turn(turn)

    def _engine_failure(self, error: BaseException) -> Exception:
        """Return why the turn broke off. Raises `error` if it is a real cancellation."""
        if isinstance(error, Exception):
            return error
        if is_cancelled():
            raise error
        failure = EngineError(
            f"{self.agent.engine!r}, or a hook that read its events, raised "
            f"{type(error).__name__}, but nobody cancelled the run"
        )
        failure.__cause__ = error
        return failure

    async def _record_turn(self, turn: Turn) -> None:
        """Record the turn: a tool call, an answer, or one that is discarded and sampled again."""
        await self.recorder.record_turn(turn)
        self.turn = None
        if turn.dropped:
            await self._emit(ToolCallsDropped(**self.event_position, recipients=turn.dropped))
        if turn.fault is None or turn.failure is not None:
            return
        discarded = self.state.position.discarded
        if discarded > self.agent.turn_retries:
            self._meter.check_turn()
            raise TurnError(
                f"{discarded} turns in a row were unusable; the last one, of {len(turn.tokens)} "
                f"tokens: {turn.fault}. Allow more tokens, lower the reasoning effort, or read the "
                "reasoning to see what the model is waiting for"
            )
        await self._emit(TurnDiscarded(**self.event_position, reason=turn.fault))

    async def _call_tool(self, message: Message) -> None:
        """Run one tool call; the model reads its result next."""
        call = self._toolbox.resolve(message)
        self._meter.check_call(call.name)
        recipient = message.recipient or ""
        await self._emit(
            ToolCallReady(
                **self.event_position,
                call_id=self.call_id,
                recipient=recipient,
                arguments=message.text,
            )
        )
        was_run = message is not self._interrupted or call.idempotent
        if was_run:
            result, was_run = await self._run_hooked(call)
        else:
            result = self._toolbox.refuse(call, INTERRUPTED)
        text = (await self.recorder.record_tool_result(message, result, was_run=was_run)).text
        await self._emit(
            ToolCallFinished(
                **self.event_position,
                call_id=self.call_id,
                recipient=recipient,
                text=text,
                failed=result.failed,
                seconds=result.seconds,
            )
        )

    async def _run_hooked(self, call: ToolCall) -> tuple[ToolResult, bool]:
        """Run a call as the hooks change it; return its result and whether the tool ran."""
        changed = await self._hooks.before_tool_call(call)
        if isinstance(changed, Refusal):
            return self._toolbox.refuse(call, changed.reason), False
        with self._meter.with_deadline(), self._log_context():
            result = await self._toolbox.call(changed, self._context)
        if result.bug is not None and self._raises_bugs:
            raise result.bug
        final = await self._hooks.after_tool_call(changed, result)
        if isinstance(final, Refusal):
            refused = self._toolbox.refuse(call, final.reason)
            # The files exist in the sandbox, so a resumed run needs them too.
            return replace(refused, seconds=result.seconds, files=result.files), True
        return final, True

    @property
    def _raises_bugs(self) -> bool:
        """Whether the run ends with what a tool raises unexpectedly."""
        return self.agent.on_tool_error == "raise" or SWITCHES.raise_tool_errors > 0

    async def _validate_output(self, candidate: Message) -> None:
        """Accept the answer if it matches the output type; else tell the model why it does not."""
        try:
            output = await self._validate(candidate)
        except RejectedAnswer as rejected:
            faults = [*self.state.position.faults, str(rejected)]
            if len(faults) > self.agent.output_retries:
                raise OutputError(
                    f"none of {len(faults)} answers matches the output type. The last one was "
                    f"rejected because:\n{rejected}",
                    answer=candidate.text,
                    faults=faults,
                ) from rejected
            message = Message("user", f"Your answer was not accepted:\n{rejected}")
            await self.recorder.record_user_message(message, "rejection", reason=str(rejected))
            await self._emit(AnswerRejected(**self.event_position, reason=str(rejected)))
            return
        self.outputs.append(output)
        await self.recorder.record(OutputAccepted(at_s=self._meter.seconds))

    async def _force_answer(self, error: LimitExceeded) -> None:
        """At a limit, have the model answer with what it knows, if the user wants that."""
        if self.agent.limits.then == "raise" or self.state.position.limit is not None:
            raise error
        await self._drop_pending_call(NOT_FINISHED)
        message = Message("user", FORCE_ANSWER)
        await self.recorder.record_user_message(message, "limit", reason=error.limit)
        await self._emit(LimitReached(**self.event_position, limit=error.limit, reason=str(error)))

    async def _add_user_message(self, message: Message) -> None:
        """Continue with something that the user says. A pending tool call is reported as lost."""
        self._meter.start()
        await self._drop_pending_call(INTERRUPTED)
        await self.recorder.record_user_message(message, "user")

    async def _validate(self, final: Message) -> OutputT:
        """Return an answer as the output type. Raises RejectedAnswer if it does not match."""
        with self._meter.with_deadline(), self._log_context():
            output = await self.agent.output_format.validate(final.text, self._context)
        changed = await self._hooks.before_output(output)
        if isinstance(changed, Refusal):
            raise RejectedAnswer(changed.reason)
        accepted: OutputT = changed
        return accepted

    async def _restore_output(self, answer: Message) -> OutputT:
        """Return the output of an answer that another process accepted."""
        try:
            return await self._validate(answer)
        except RejectedAnswer as rejected:
            raise OutputError(
                f"the answer was accepted before, but now it is rejected because:\n{rejected}",
                answer=answer.text,
                faults=[str(rejected)],
            ) from rejected

    async def _drop_pending_call(self, reason: str) -> None:
        if (message := self.state.position.pending_call) is not None:
            refused = self._toolbox.refuse(self._toolbox.resolve(message), reason)
            await self.recorder.record_tool_result(message, refused, was_run=False)

    async def _request(self) -> TurnRequest:
        """Return the request for the next turn; the hooks may change it."""
        prompt = self.state.conversation.prompt_transcript.view()
        tools = self._toolbox.available
        if self.state.position.limit is not None:
            prompt, tools = [*prompt, *answer_header()], ()
        request = TurnRequest(
            prompt=prompt,
            sampling=self._meter.cap_tokens(self.agent.sampling),
            grammar=self._grammar(),
            reasoning_budget=self.agent.reasoning_budget,
            tools=tools,
            output_schema=self.agent.output_format.schema,
            run_id=self.run_id,
        )
        return await self._hooks.before_turn(request)

    def _grammar(self) -> str | None:
        if not self.agent.grammar:
            return None
        schema = self.agent.output_format.schema
        if self.state.position.limit is not None:
            return None if schema is None else answer_grammar(schema)
        offered = (self._toolbox.functions, self._toolbox.namespaces)
        if self._turn_grammar is None or self._turn_grammar[0] != offered:
            functions, namespaces = offered
            grammar = turn_grammar(
                functions=functions,
                namespaces=namespaces,
                output_schema=schema,
                reasoning_budget=self.agent.reasoning_budget,
            )
            self._turn_grammar = (offered, grammar)
        return self._turn_grammar[1]

    async def _emit(self, *events: Event) -> None:
        """Send events to every observer, each once."""
        for event in events:
            for observer in self.observers:
                await observer(event)

    def facts(self) -> RunFacts:
        """Return what the run has done so far."""
        return RunFacts(self.run_id, tuple(self.messages), self.state.spending.usage)

    @property
    def messages(self) -> list[Message]:
        """Everything that was said, including the turn that is being sampled."""
        transcript = self.state.conversation.transcript
        if self.turn is not None:
            transcript = transcript.fork()
            transcript.append_sampled(self.turn.tokens, recipients=self.turn.recipients)
        return transcript.messages

    @property
    def step(self) -> int:
        """The number of the current step, from 1; 0 before the first."""
        return self.state.spending.usage.steps + (self.turn is not None)

    @property
    def call_id(self) -> str:
        """The id of the tool call in the current step, unique in a journal."""
        return f"{self.run_id}-{self.step}"

    @property
    def event_position(self) -> EventPosition:
        """The position of the next event."""
        return EventPosition(run_id=self.run_id, step=self.step, at_s=self._meter.seconds)

    @property
    def _context(self) -> RunContext[object]:
        return RunContext(deps=self._deps, run_id=self.run_id, step=self.step)

    def _log_context(self) -> AbstractContextManager[object]:
        """Add the run and the step to whatever is logged in this block."""
        return bound_contextvars(run_id=self.run_id, step=self.step)

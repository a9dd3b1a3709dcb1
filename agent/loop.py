"""The loop: render, sample, parse, act, until the model answers."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing
from dataclasses import replace
from typing import Any, Generic, cast
from uuid import uuid4

import structlog
from anyio import current_time
from structlog.contextvars import bound_contextvars

from ..errors import OutputError, SandboxError, TurnError
from ..harmony import Message, Transcript, turn_grammar
from ..tools import RunContext, Toolbox
from .events import (
    AnswerDelta,
    AnswerPartial,
    AnswerRejected,
    CallAnswered,
    Event,
    RunFinished,
    Stamp,
    StepFinished,
    StepStarted,
    TurnDiscarded,
    narrate,
)
from .limits import Meter
from .output import RejectedAnswer
from .prompt import opening
from .result import RunFile, RunResult, Usage
from .settings import OutputT, Settings
from .turn import Turn

log = structlog.get_logger()


class Run(Generic[OutputT]):
    """One run of an agent, from its task to its answer."""

    def __init__(self, agent: Settings[OutputT], deps: object = None) -> None:
        self.run_id = uuid4().hex[:12]
        self.step = 0
        self._agent = agent
        self._deps = deps
        self._format = agent.output_format
        self._meter = Meter(agent.limits)
        self._outputs: list[OutputT] = []
        self._paths: dict[str, None] = {}
        self._faults: list[str] = []
        self._discarded = 0

    async def events(self, task: str | Sequence[Message]) -> AsyncGenerator[Event]:
        """Everything that happens, in order; the last event is RunFinished."""
        async with AsyncExitStack() as stack:
            toolbox = await self._open(stack)
            said = opening(self._agent, toolbox, self._format.response_formats, task)
            transcript = Transcript(said)
            while not self._outputs:
                self.step += 1
                self._meter.begin_step()
                prompt, turn = transcript.prompt(), Turn(toolbox.recipients)
                yield StepStarted(**self._stamp, prompt_tokens=len(prompt))
                async with aclosing(self._sample(prompt, turn, self._grammar(toolbox))) as told:
                    async for event in told:
                        yield event
                if turn.call is not None:
                    transcript.append_sampled(turn.tokens, recipients=toolbox.recipients)
                    yield await self._act(turn.call, toolbox, transcript)
                elif turn.final is not None:
                    transcript.append_sampled(turn.tokens, recipients=toolbox.recipients)
                    if rejected := await self._judge(turn.final, transcript):
                        yield rejected
                else:
                    yield self._discard(turn)
                yield StepFinished(**self._stamp, usage=self._meter.step_usage)
            files = [await self._take_out(path, toolbox) for path in self._paths]
        yield RunFinished(**self._stamp, result=self._result(transcript, files))

    async def _open(self, stack: AsyncExitStack) -> Toolbox:
        """Enter the engine and the tools, for as long as the run lasts."""
        engine: object = self._agent.engine
        if isinstance(engine, AbstractAsyncContextManager):
            held = cast("AbstractAsyncContextManager[object]", engine)
            await self._meter.within(stack.enter_async_context(held))
        toolbox = Toolbox(self._agent.tools, deps=self._deps)
        return await self._meter.within(stack.enter_async_context(toolbox))

    def _grammar(self, toolbox: Toolbox) -> dict[str, Any] | None:
        """What the next turn is held to: the tools that are offered now, the type of the answer."""
        if not self._agent.grammar:
            return None
        return turn_grammar(
            functions=toolbox.functions,
            namespaces=toolbox.namespaces,
            output_schema=self._format.schema,
            reasoning_budget=self._agent.reasoning_budget,
        )

    async def _sample(
        self, prompt: list[int], turn: Turn, grammar: dict[str, Any] | None
    ) -> AsyncGenerator[Event]:
        """Have the engine write one turn, and read it as it comes."""
        began = current_time()
        sampling = self._meter.ration(replace(self._agent.sampling, grammar=grammar))
        growing = self._format.partial()
        async with aclosing(self._agent.engine.generate(prompt, sampling)) as pieces:
            while not turn.over:
                piece = await self._meter.within(anext(pieces, None))
                if piece is None:
                    break
                for event in turn.read(piece):
                    if told := narrate(event, self._stamp):
                        yield told
                    if growing and isinstance(told, AnswerDelta):
                        value = growing.feed(told.text)
                        if value is not None:
                            yield AnswerPartial(**self._stamp, value=value)
        self._meter.add(
            Usage(
                steps=1,
                prompt_tokens=len(prompt),
                cached_tokens=turn.cached_tokens,
                sampled_tokens=len(turn.tokens),
                reasoning_tokens=turn.reasoning_tokens,
                repairs=turn.repairs,
                engine_s=current_time() - began,
            )
        )

    async def _act(self, call: Message, toolbox: Toolbox, transcript: Transcript) -> CallAnswered:
        """Run one call; whatever comes of it, the model reads it next."""
        self._meter.check_call()
        with bound_contextvars(run_id=self.run_id, step=self.step):
            answer = await self._meter.within(toolbox.answer(call, self._context))
        transcript.append(answer.message)
        self._paths.update(dict.fromkeys(answer.files))
        self._meter.add(Usage(tool_calls=1, tool_s=answer.seconds))
        return CallAnswered(
            **self._stamp,
            recipient=call.recipient or "",
            text=answer.message.text,
            failed=answer.failed,
            seconds=answer.seconds,
        )

    async def _judge(self, final: Message, transcript: Transcript) -> AnswerRejected | None:
        """Take the answer if it is of the asked type; otherwise tell the model why it is not."""
        try:
            taken = self._format.take(final.text, self._context)
            self._outputs.append(await self._meter.within(taken))
        except RejectedAnswer as rejected:
            self._faults.append(str(rejected))
            if len(self._faults) > self._agent.output_retries:
                raise OutputError(
                    f"after {len(self._faults)} answers none is of the asked type. The last one's "
                    f"faults:\n{rejected}",
                    answer=final.text,
                    faults=self._faults,
                    messages=transcript.messages,
                ) from rejected
            transcript.append(Message("user", f"Your answer was not accepted:\n{rejected}"))
            return AnswerRejected(**self._stamp, reason=str(rejected))
        return None

    def _discard(self, turn: Turn) -> TurnDiscarded:
        """Give up a turn that led nowhere; it is sampled again from the same prompt."""
        self._discarded += 1
        reason = "it was cut" if turn.finish == "length" else "it held no call and no answer"
        if turn.finish == "length" or self._discarded > self._agent.turn_retries:
            raise TurnError(
                f"the model's turn led nowhere after {len(turn.tokens)} tokens: {reason}; allow "
                "more tokens, lower the reasoning, or look at the reasoning for what it waits for"
            )
        self._meter.add(Usage(resamples=1))
        return TurnDiscarded(**self._stamp, reason=reason)

    async def _take_out(self, path: str, toolbox: Toolbox) -> RunFile:
        try:
            return RunFile(path=path, data=await self._meter.within(toolbox.read(path)))
        except (SandboxError, OSError) as error:
            log.warning("file_not_taken_out", run_id=self.run_id, path=path, reason=str(error))
            return RunFile(path=path, data=None)

    def _result(self, transcript: Transcript, files: list[RunFile]) -> RunResult[OutputT]:
        return RunResult(
            run_id=self.run_id,
            output=self._outputs[0],
            messages=tuple(transcript.messages),
            usage=self._meter.usage,
            seconds=self._meter.seconds,
            files=tuple(files),
        )

    @property
    def _context(self) -> RunContext[object]:
        return RunContext(deps=self._deps, run_id=self.run_id, step=self.step)

    @property
    def _stamp(self) -> Stamp:
        return Stamp(run_id=self.run_id, step=self.step, at_s=self._meter.seconds)

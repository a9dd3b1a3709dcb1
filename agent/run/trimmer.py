"""Keeps a run's prompt within its model's window."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace
from itertools import islice
from typing import Any, NamedTuple

from ...errors import ContextLengthError
from ...harmony import Message, parse
from ...harmony.rendering import answer_header
from ..config import AgentConfig
from ..context import Context, Windowed
from ..engines import Sampled, TurnRequest
from ..journal import ContextTrimmed
from ..usage import Usage
from .recorder import RunRecorder
from .turn import Turn


class Trimmed(NamedTuple):
    """Tokens of the prompt, before and after trimming."""

    before: int
    after: int


class Trimmer:
    """Asks the agent's context policy what the model need not be shown, and records it."""

    def __init__(self, agent: AgentConfig[Any], recorder: RunRecorder) -> None:
        self._agent = agent
        self._recorder = recorder
        self._engine = agent.engine if isinstance(agent.engine, Windowed) else None
        self._summary_usage = Usage()

    async def make_room(self) -> Trimmed | None:
        """Show the model less of the run, if the prompt leaves no room for a turn.

        Raises ContextLengthError if there is still no room after that.
        """
        policy, conversation = self._agent.context, self._recorder.state.conversation
        window = await self._engine.window() if self._engine else None
        if policy is None or window is None:
            return None
        before, maximum = conversation.prompt_transcript.count, window - policy.reserve(window)
        if before <= maximum:
            return None
        changes = await policy.trim(self._context(window))
        if changes or self._summary_usage != Usage():
            at_s, usage = self._recorder.meter.seconds, self._summary_usage
            self._summary_usage = Usage()
            trimmed = ContextTrimmed(
                at_s=at_s,
                replacements=dict(changes),
                read_tool=conversation.read_tool,
                usage=usage,
            )
            await self._recorder.record(trimmed)
        after = conversation.prompt_transcript.count
        if after > maximum:
            raise ContextLengthError(
                f"the prompt has {after} tokens, but a window of {window} leaves room for a turn "
                f"only up to {maximum}: shorten the task, let the tools return less, or serve with "
                "a larger --max-model-len",
                url="",
                prompt_tokens=after,
                window=window,
            )
        return Trimmed(before, after)

    def _context(self, window: int) -> Context:
        conversation = self._recorder.state.conversation
        messages = tuple(conversation.transcript.messages)
        sizes = iter(conversation.prompt_transcript.sizes)
        counts = (len(conversation.shown.get(at, (0,))) for at in range(len(messages)))
        return Context(
            messages=messages,
            sizes=tuple(sum(islice(sizes, count)) for count in counts),
            opening_count=len(conversation.opening),
            replacements=conversation.replaced,
            read_tool=conversation.read_tool,
            window=window,
            ask=self._ask,
        )

    async def _ask(self, question: str) -> str:
        """Return the model's answer to a question about what it is shown, outside of the run."""
        recorder = self._recorder
        transcript = recorder.state.conversation.prompt_transcript.fork()
        transcript.append(Message("user", question))
        prompt = [*transcript.prompt(), *answer_header()]
        turn = Turn((), len(prompt))
        turn.read(Sampled(tokens=answer_header()))
        sampling = recorder.meter.cap_summary(self._agent.sampling)
        request = TurnRequest(prompt=prompt, sampling=sampling, run_id=recorder.run_id)
        with recorder.meter.with_deadline():
            async with aclosing(self._agent.engine.generate(request)) as pieces:
                async for piece in pieces:
                    turn.read(piece)
                    if turn.is_over:
                        break
        self._summary_usage += replace(turn.usage, steps=0, resamples=0)
        messages = parse(turn.tokens)
        if not messages or not messages[-1].text:
            raise ContextLengthError(
                f"the model returned an empty summary of {len(prompt)} tokens: raise "
                "TrimContext.reserve_tokens, or serve with a larger --max-model-len",
                url="",
                prompt_tokens=len(prompt),
                window=None,
            )
        return messages[-1].text

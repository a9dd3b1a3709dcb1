"""A conversation: one run, which the user goes on with after each answer."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Generic

from ...harmony import Message
from ..config import OutputT
from ..events import Event, RunFinished
from ..result import RunResult
from .loop import Run
from .running import finished, result_of, watched


@dataclass(frozen=True)
class Chat(Generic[OutputT]):
    """Many user turns over one transcript; tools keep their state from one to the next.

    async with agent.chat() as chat:
        print((await chat.say("What is 417 * 38?")).output)
        print((await chat.say("And half of it?")).output)

    `Limits` count anew with each thing the user says. The reasoning of answered turns stays in
    `messages`, and leaves the prompt, as the format asks.
    """

    _run: Run[OutputT]

    @property
    def run_id(self) -> str:
        """Its name in the journal, for `agent.chat(resume=...)`."""
        return self._run.book.run_id

    @property
    def messages(self) -> list[Message]:
        """Everything that was said, reasoning included."""
        return self._run.messages

    async def say(self, text: str) -> RunResult[OutputT]:
        """Say something, and wait for the answer. The result's usage and files are the chat's.

        Raises what `Agent.run` raises; the chat can go on after it.
        """
        return await result_of(self.stream(text))

    async def stream(self, text: str) -> AsyncGenerator[Event]:
        """`say`, told event by event as it happens; the last event is RunFinished."""
        run = self._run
        async with watched(run):
            await run.ask(Message("user", text))
            async with aclosing(run.events()) as events:
                async for event in events:
                    yield event
            result = await finished(run)
        yield RunFinished(**run.stamp, result=result)

"""A conversation: one run that continues with each message of the user."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Generic

from ...harmony import Message
from ..config import OutputT
from ..result import RunResult
from .loop import Run
from .stream import RunStream, stream_events


@dataclass(frozen=True)
class Chat(Generic[OutputT]):
    """Many user messages over one transcript; tools keep their state between them.

        async with agent.chat() as chat:
            print((await chat.say("What is 417 * 38?")).output)
            print((await chat.say("And half of it?")).output)

    `Limits` count from zero with each user message. The reasoning of answered turns stays in
    `messages` and leaves the prompt, as the harmony format requires.
    """

    _run: Run[OutputT]

    @property
    def run_id(self) -> str:
        """The chat's id in the journal, for `agent.chat(resume=...)`."""
        return self._run.run_id

    @property
    def messages(self) -> list[Message]:
        """Everything that was said, including reasoning."""
        return self._run.messages

    async def say(self, text: str) -> RunResult[OutputT]:
        """Send a message and return the result. Its usage and files are those of the whole chat.

        Raises what `Agent.run` raises; the chat can continue after that.
        """
        return await self._run.execute(Message("user", text))

    @asynccontextmanager
    async def stream(self, text: str) -> AsyncGenerator[RunStream[OutputT]]:
        """Send a message and stream the events until its answer; see `Agent.stream`."""
        async with stream_events(self._run, Message("user", text)) as stream:
            yield stream

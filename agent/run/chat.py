"""A conversation: one run that continues with each message of the user."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Generic

from ...harmony import Message
from ..config import OutputT
from ..result import RunResult
from .loop import Run
from .prompt import check_task
from .stream import RunStream, stream_events


class Chat(Generic[OutputT]):
    """Many user messages over one transcript; tools keep their state between them.

        async with agent.chat() as chat:
            print((await chat.say("What is 417 * 38?")).output)
            print((await chat.say("And half of it?")).output)

    `Limits` count from zero with each user message. The reasoning of answered turns stays in
    `messages` and leaves the prompt, as the harmony format requires.
    """

    def __init__(self, run: Run[OutputT]) -> None:
        self._run = run
        self._has_ended = False
        self._is_working = False

    @classmethod
    @contextmanager
    def open(cls, run: Run[OutputT]) -> Generator[Chat[OutputT]]:
        """Give a chat that accepts messages until the block ends."""
        chat = cls(run)
        try:
            yield chat
        finally:
            chat._has_ended = True

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

        Raises what `Agent.run` raises; the chat can continue after that. Raises RuntimeError while
        the chat works on another message, and after its block.
        """
        check_task(text)
        with self._working():
            return await self._run.execute(Message("user", text))

    @asynccontextmanager
    async def stream(self, text: str) -> AsyncGenerator[RunStream[OutputT]]:
        """Send a message and stream the events until its answer; see `Agent.stream`."""
        check_task(text)
        with self._working():
            async with stream_events(self._run, Message("user", text)) as stream:
                yield stream

    @contextmanager
    def _working(self) -> Generator[None]:
        """Claim the transcript for one message, because two at once would mix their turns."""
        if self._has_ended:
            raise RuntimeError(
                "the chat has ended: send messages inside its `async with agent.chat()` block, or "
                f"continue it from its journal with agent.chat(resume={self.run_id!r})"
            )
        if self._is_working:
            raise RuntimeError(
                "the chat is still working on another message: wait for its result, or leave its "
                "stream, before you send the next one"
            )
        self._is_working = True
        try:
            yield
        finally:
            self._is_working = False

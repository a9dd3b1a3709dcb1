"""Kills runs and resumes them: a program, whose children are cheap since they are forked warm.

Reads cases from standard input, a line of JSON each: {"name", "kill", "at"}. For each it runs an
agent in a child, has it killed (SIGKILL) as the case says, and resumes the run in another child.
Writes a line of JSON for each: what the run's messages were, which calls were run, how long the
first child lived.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import sys
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path
from typing import Any

import anyio

from ossia.agent import Agent, Record, Sampled, SQLiteJournal, TurnRequest
from ossia.agent.testing import harmony_tokens
from ossia.harmony import decode, encode
from ossia.tools import tool

CALLS = 6
DEADLINE_S = 30.0


def turn(number: int) -> str:
    """What the model says after that many answers of tools."""
    if number == CALLS:
        return "<|channel|>final<|message|>All done.<|return|>"
    name = "pay" if number % 2 else "note"
    return (
        f"<|channel|>analysis<|message|>Call {number}.<|end|><|start|>assistant"
        f"<|channel|>commentary to=functions.{name} <|constrain|>json<|message|>"
        f'{{"n": {number}}}<|call|>'
    )


class Model:
    """An engine whose turn depends on its prompt alone, as a model's does."""

    async def generate(self, request: TurnRequest) -> AsyncGenerator[Sampled]:
        """Say what comes after the answers in the prompt, in two pieces."""
        tokens = harmony_tokens(turn(decode(request.prompt).count(" to=assistant")))
        yield Sampled(tokens=tuple(tokens[:5]))
        await anyio.lowlevel.checkpoint()
        yield Sampled(tokens=tuple(tokens[5:]), finish="stop")


class MortalJournal(SQLiteJournal):
    """Its process is killed at one of its appends."""

    def __init__(self, path: Path, kill: str, at: float) -> None:
        super().__init__(path)
        self._kill = kill
        self._left = at

    async def append(
        self, run_id: str, number: int, records: Sequence[Record], blobs: Sequence[bytes] = ()
    ) -> None:
        """Append, and be killed before or after that, if it is time."""
        self._left -= 1
        if self._left == 0 and self._kill == "before":
            die()
        await super().append(run_id, number, records, blobs)
        if self._left == 0 and self._kill == "after":
            die()


def die() -> None:
    """Be killed."""
    os.kill(os.getpid(), signal.SIGKILL)


def tools(ran: Path, kill: str, at: float) -> list[Any]:
    """Tools that write down each time they run; the process may be killed right after that."""

    def count(name: str, n: int) -> str:
        with ran.open("a") as file:
            file.write(f"{n}\n")
        if kill == "tool" and n == at:
            die()
        return f"{name} {n}"

    @tool(idempotent=True)
    def note(n: int) -> str:
        """Note."""
        return count("noted", n)

    @tool
    def pay(n: int) -> str:
        """Pay."""
        return count("paid", n)

    return [note, pay]


def child(work: Callable[[], None]) -> int:
    """Fork; returns the child's process id."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return pid


def wait(pid: int, seconds: float) -> bool:
    """Wait for a child to end by itself; kill it after that long. Whether it was well."""
    handle = os.pidfd_open(pid)
    ended, _, _ = select.select([handle], [], [], seconds)
    if not ended:
        os.kill(pid, signal.SIGKILL)
    os.close(handle)
    return os.waitpid(pid, 0)[1] == 0


def run(folder: Path, case: dict[str, Any]) -> dict[str, Any]:
    """One case, from its run to its resumed end."""
    name, kill, at = case["name"], case["kill"], case["at"]
    ran, done = folder / f"{name}.ran", folder / f"{name}.done"
    path = folder / "journal.db"

    async def begin() -> None:
        journal = MortalJournal(path, kill, at)
        agent = Agent(Model(), tools=tools(ran, kill, at), journal=journal)
        async with agent.stream("Go.", metadata={"case": name}) as run:
            async for event in run:
                finish(event)

    async def go_on() -> None:
        journal = SQLiteJournal(path)
        agent = Agent(Model(), tools=tools(ran, "", 0), journal=journal)
        started = [run.run_id for run in await journal.runs() if run.metadata == {"case": name}]
        stream = agent.stream_resumed(started[0]) if started else agent.stream("Go.")
        async with stream as run:
            async for event in run:
                finish(event)

    def finish(event: Any) -> None:
        if event.kind == "run_finished":
            done.write_text(json.dumps([message.text for message in event.result.messages[2:]]))

    seconds = at if kill == "instant" else DEADLINE_S
    started = time.perf_counter()
    whole = wait(child(lambda: anyio.run(begin)), seconds)
    took = time.perf_counter() - started
    if not whole:
        done.unlink(missing_ok=True)
        assert wait(child(lambda: anyio.run(go_on)), DEADLINE_S), f"{name} could not be resumed"
    calls = ran.read_text().split() if ran.exists() else []
    texts = json.loads(done.read_text())
    return {"name": name, "killed": not whole, "texts": texts, "ran": calls, "seconds": took}


if __name__ == "__main__":
    # What is loaded at first use is loaded here, once for all children; and the collector shall not
    # touch, and thereby copy, what they share.
    encode("warm")
    anyio.run(anyio.lowlevel.checkpoint)
    gc.freeze()
    for line in sys.stdin:
        sys.stdout.write(json.dumps(run(Path(sys.argv[1]), json.loads(line))) + "\n")

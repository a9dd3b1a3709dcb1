"""A program that kills runs and resumes them. It forks its children, so they start fast.

Reads cases from standard input, one line of JSON each: {"name", "kill", "at"}. For each case it
runs an agent in a child, kills it (SIGKILL) as the case says, and resumes the run in another child.
Writes one line of JSON for each: the run's messages, the calls that ran, and how long the first
child lived.
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
from ossia.agent.testing import answer_turn, call_turn
from ossia.harmony import decode, encode
from ossia.tools import tool

CALLS = 6
DEADLINE_S = 30.0


def turn(number: int) -> list[int]:
    """Return the model's turn after this number of tool results."""
    if number == CALLS:
        return answer_turn("All done.")
    name = "pay" if number % 2 else "note"
    return call_turn(name, n=number, reasoning=f"Call {number}.")


class Model:
    """An engine whose turn depends only on the prompt, like a model's."""

    async def generate(self, request: TurnRequest) -> AsyncGenerator[Sampled]:
        """Yield the turn that follows the tool results in the prompt, in two pieces."""
        tokens = turn(decode(request.prompt).count(" to=assistant"))
        yield Sampled(tokens=tuple(tokens[:5]))
        await anyio.lowlevel.checkpoint()
        yield Sampled(tokens=tuple(tokens[5:]), finish="stop")


class MortalJournal(SQLiteJournal):
    """A journal whose process is killed at one of its appends."""

    def __init__(self, path: Path, kill: str, at: float) -> None:
        super().__init__(path)
        self._kill = kill
        self._left = at

    async def append(
        self, run_id: str, number: int, records: Sequence[Record], blobs: Sequence[bytes] = ()
    ) -> None:
        """Append the records; kill the process before or after that at the chosen append."""
        self._left -= 1
        if self._left == 0 and self._kill == "before":
            die()
        await super().append(run_id, number, records, blobs)
        if self._left == 0 and self._kill == "after":
            die()


def die() -> None:
    """Kill this process."""
    os.kill(os.getpid(), signal.SIGKILL)


def tools(ran: Path, kill: str, at: float) -> list[Any]:
    """Return tools that record each call in a file; the process may be killed right after that."""

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
    """Fork, run `work` in the child, and return the child's process id."""
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
    """Wait for a child to end, or kill it after some seconds; return whether it succeeded."""
    handle = os.pidfd_open(pid)
    ended, _, _ = select.select([handle], [], [], seconds)
    if not ended:
        os.kill(pid, signal.SIGKILL)
    os.close(handle)
    return os.waitpid(pid, 0)[1] == 0


def run(folder: Path, case: dict[str, Any]) -> dict[str, Any]:
    """Run one case and resume it; return its outcome."""
    name, kill, at = case["name"], case["kill"], case["at"]
    ran, done = folder / f"{name}.ran", folder / f"{name}.done"
    path = folder / "journal.db"

    async def start_run() -> None:
        journal = MortalJournal(path, kill, at)
        agent = Agent(Model(), tools=tools(ran, kill, at), journal=journal)
        async with agent.stream("Go.", metadata={"case": name}) as run:
            async for event in run:
                finish(event)

    async def resume_run() -> None:
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
    has_finished = wait(child(lambda: anyio.run(start_run)), seconds)
    took = time.perf_counter() - started
    if not has_finished:
        done.unlink(missing_ok=True)
        assert wait(child(lambda: anyio.run(resume_run)), DEADLINE_S), (
            f"{name} could not be resumed"
        )
    calls = ran.read_text().split() if ran.exists() else []
    texts = json.loads(done.read_text())
    return {"name": name, "killed": not has_finished, "texts": texts, "ran": calls, "seconds": took}


if __name__ == "__main__":
    # Load what is loaded at first use here, once for all children. Keep the garbage collector from
    # touching the memory that they share, because that would copy it.
    encode("warm")
    anyio.run(anyio.lowlevel.checkpoint)
    gc.freeze()
    for line in sys.stdin:
        sys.stdout.write(json.dumps(run(Path(sys.argv[1]), json.loads(line))) + "\n")

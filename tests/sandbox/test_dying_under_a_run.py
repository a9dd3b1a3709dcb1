"""A sandbox that really dies while an agent works in it: the run goes on, or can be resumed."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Generator
from contextlib import suppress
from functools import partial
from typing import Any

import docker
import pytest
from anyio import CancelScope

from ossia.agent import Agent, MemoryJournal
from ossia.agent.testing import ScriptedEngine
from ossia.errors import EngineError, RunFacts, SandboxDiedError
from ossia.sandbox import DockerSandbox
from ossia.tools import PythonTool

from .conftest import Contained, Kind
from .leftovers import Left, kernels, orphans_come_here

FINAL = "<|channel|>final<|message|>Done.<|return|>"
LOST = "variables and files are lost"
KEEP = "open('/mnt/data/kept.txt', 'w').write('kept')"
STAY = "print('Kill me.', flush=True)\nimport time\ntime.sleep(100)"


def python(code: str) -> str:
    return f"<|channel|>analysis to=python code<|message|>{code}<|call|>"


class Place:
    """Opens the sandboxes of a run, and kills the one that is open."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.then: Callable[[], object] = lambda: None
        """Done after a cell has asked for its death and got it."""
        self._sandbox: Contained | None = None
        self._others: set[int] = set()

    def open(self) -> Contained:
        self._others = kernels()
        sandbox = self._sandbox = self.kind()
        # Of what a cell prints an agent's run tells nothing before its end.
        setattr(sandbox, "execute", partial(sandbox.execute, on_output=self._hear))  # noqa: B010
        return sandbox

    def _hear(self, _: str, text: str) -> None:
        if "Kill me." in text:
            self.kill()
            self.then()

    def kill(self) -> None:
        """From outside, as a machine that runs out of memory does it."""
        if isinstance(self._sandbox, DockerSandbox):
            client = docker.from_env()
            client.containers.get(self._sandbox.name).kill()
            client.close()
            return
        for pid in kernels() - self._others:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@pytest.fixture(autouse=True, scope="module")
def no_orphans_out_of_sight() -> Generator[None]:
    with orphans_come_here():
        yield


@pytest.fixture
def place(kind: Kind) -> Place:
    return Place(kind)


def agent_in(place: Place, engine: ScriptedEngine, journal: MemoryJournal) -> Agent:
    return Agent(engine, tools=[PythonTool(place.open)], journal=journal)


async def test_the_model_is_told_that_it_died_in_a_cell_and_goes_on(place: Place) -> None:
    left, journal = Left(), MemoryJournal()

    def judge(prompt: str) -> str:
        assert LOST in prompt
        return python("6 * 7")

    def answer(prompt: str) -> str:
        assert prompt.rpartition("<|message|>")[2].startswith("42")
        return FINAL

    engine = ScriptedEngine([python(KEEP), python(STAY), judge, answer])
    result = await agent_in(place, engine, journal).run("Go.")
    assert result.output == "Done."
    (kept,) = result.files
    assert (kept.path, kept.data) == ("/mnt/data/kept.txt", b"kept")
    await left.nothing()


async def test_the_model_is_told_that_it_died_between_two_cells(place: Place) -> None:
    left = Left()

    def strike(prompt: str) -> str:
        place.kill()
        return python("'x' in globals()")

    def judge(prompt: str) -> str:
        assert LOST in prompt
        return FINAL

    engine = ScriptedEngine([python("x = 1"), strike, judge])
    assert (await agent_in(place, engine, MemoryJournal()).run("Go.")).output == "Done."
    await left.nothing()


async def test_a_run_that_lost_its_sandbox_for_good_is_resumed_with_its_files(
    place: Place, kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    left, journal = Left(), MemoryJournal()

    async def no_more(_: Contained) -> Any:
        raise SandboxDiedError("no room for another")

    place.then = partial(monkeypatch.setattr, kind, "_start", no_more)
    engine = ScriptedEngine([python(KEEP), python(STAY)])
    with pytest.raises(SandboxDiedError, match="no other could be started"):
        await agent_in(place, engine, journal).run("Go.")
    await left.nothing()
    monkeypatch.undo()
    (run,) = await journal.runs()

    def look(prompt: str) -> str:
        assert "it was interrupted" in prompt
        return python("open('/mnt/data/kept.txt').read()")

    def answer(prompt: str) -> str:
        assert "'kept'" in prompt
        return FINAL

    engine = ScriptedEngine([look, answer])
    assert (await agent_in(place, engine, journal).resume(run.run_id)).output == "Done."
    await left.nothing()


async def test_a_run_that_is_cancelled_while_its_sandbox_dies_leaves_nothing(
    place: Place,
) -> None:
    left, journal, tasks = Left(), MemoryJournal(), asyncio.all_tasks()
    engine = ScriptedEngine([python(KEEP), python(STAY)])
    cancelled: list[RunFacts | None] = []
    with CancelScope() as scope:
        place.then = scope.cancel
        try:
            await agent_in(place, engine, journal).run("Go.")
        except asyncio.CancelledError as error:
            cancelled.append(RunFacts.of(error))
            raise
    (facts,) = cancelled
    assert facts is not None
    assert facts.usage.tool_calls == 1
    await left.nothing()
    assert asyncio.all_tasks() == tasks


async def test_an_engine_that_fails_after_its_sandbox_died_leaves_nothing(place: Place) -> None:
    left = Left()

    def strike(prompt: str) -> Exception:
        place.kill()
        return EngineError("gone, too")

    engine = ScriptedEngine([python("x = 1"), strike])
    with pytest.raises(EngineError, match="gone, too"):
        await agent_in(place, engine, MemoryJournal()).run("Go.")
    await left.nothing()

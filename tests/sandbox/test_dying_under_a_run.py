"""Sandboxes that die during an agent's run: the run continues, or can be resumed."""

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

from .conftest import AnySandbox, Kind
from .leftovers import Leftovers, adopt_orphans, kernel_pids

FINAL = "<|channel|>final<|message|>Done.<|return|>"
LOST = "variables and files are lost"
WRITE_FILE = "open('/mnt/data/kept.txt', 'w').write('kept')"
WAIT_FOR_KILL = "print('Kill me.', flush=True)\nimport time\ntime.sleep(100)"


def python_turn(code: str) -> str:
    return f"<|channel|>analysis to=python code<|message|>{code}<|call|>"


class Sandboxes:
    """The sandboxes of a run; `kill` kills the current one."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.after_kill: Callable[[], object] = lambda: None
        """Called after a cell has asked to be killed, and was."""
        self._sandbox: AnySandbox | None = None
        self._other_kernels: set[int] = set()

    def open(self) -> AnySandbox:
        self._other_kernels = kernel_pids()
        sandbox = self._sandbox = self.kind()
        # A run does not report what a cell prints before the cell ends.
        setattr(sandbox, "execute", partial(sandbox.execute, on_output=self._on_output))  # noqa: B010
        return sandbox

    def _on_output(self, _: str, text: str) -> None:
        if "Kill me." in text:
            self.kill()
            self.after_kill()

    def kill(self) -> None:
        """Kill the sandbox from outside, as a machine that runs out of memory does."""
        if isinstance(self._sandbox, DockerSandbox):
            client = docker.from_env()
            client.containers.get(self._sandbox.name).kill()
            client.close()
            return
        for pid in kernel_pids() - self._other_kernels:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@pytest.fixture(autouse=True, scope="module")
def adopted_orphans() -> Generator[None]:
    with adopt_orphans():
        yield


@pytest.fixture
def sandboxes(kind: Kind) -> Sandboxes:
    return Sandboxes(kind)


def agent_in(sandboxes: Sandboxes, engine: ScriptedEngine, journal: MemoryJournal) -> Agent:
    return Agent(engine, tools=[PythonTool(sandboxes.open)], journal=journal)


async def test_the_model_reads_that_the_sandbox_died_during_a_cell_and_continues(
    sandboxes: Sandboxes,
) -> None:
    leftovers, journal = Leftovers(), MemoryJournal()

    def check_loss(prompt: str) -> str:
        assert LOST in prompt
        return python_turn("6 * 7")

    def finish(prompt: str) -> str:
        assert prompt.rpartition("<|message|>")[2].startswith("42")
        return FINAL

    engine = ScriptedEngine(
        [python_turn(WRITE_FILE), python_turn(WAIT_FOR_KILL), check_loss, finish]
    )
    result = await agent_in(sandboxes, engine, journal).run("Go.")
    assert result.output == "Done."
    (file,) = result.files
    assert (file.path, file.data) == ("/mnt/data/kept.txt", b"kept")
    await leftovers.wait_until_none()


async def test_the_model_reads_that_the_sandbox_died_between_two_cells(
    sandboxes: Sandboxes,
) -> None:
    leftovers = Leftovers()

    def kill_sandbox(prompt: str) -> str:
        sandboxes.kill()
        return python_turn("'x' in globals()")

    def check_loss(prompt: str) -> str:
        assert LOST in prompt
        return FINAL

    engine = ScriptedEngine([python_turn("x = 1"), kill_sandbox, check_loss])
    assert (await agent_in(sandboxes, engine, MemoryJournal()).run("Go.")).output == "Done."
    await leftovers.wait_until_none()


async def test_a_run_whose_sandbox_cannot_restart_is_resumed_with_its_files(
    sandboxes: Sandboxes, kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    leftovers, journal = Leftovers(), MemoryJournal()

    async def fail_to_start(_: AnySandbox) -> Any:
        raise SandboxDiedError("no memory for another sandbox")

    sandboxes.after_kill = partial(monkeypatch.setattr, kind, "_start", fail_to_start)
    engine = ScriptedEngine([python_turn(WRITE_FILE), python_turn(WAIT_FOR_KILL)])
    with pytest.raises(SandboxDiedError, match="could not be restarted"):
        await agent_in(sandboxes, engine, journal).run("Go.")
    await leftovers.wait_until_none()
    monkeypatch.undo()
    (run,) = await journal.runs()

    def read_file(prompt: str) -> str:
        assert "The call was interrupted" in prompt
        return python_turn("open('/mnt/data/kept.txt').read()")

    def finish(prompt: str) -> str:
        assert "'kept'" in prompt
        return FINAL

    engine = ScriptedEngine([read_file, finish])
    assert (await agent_in(sandboxes, engine, journal).resume(run.run_id)).output == "Done."
    await leftovers.wait_until_none()


async def test_a_run_that_is_cancelled_while_its_sandbox_dies_leaves_nothing_behind(
    sandboxes: Sandboxes,
) -> None:
    leftovers, journal, tasks = Leftovers(), MemoryJournal(), asyncio.all_tasks()
    engine = ScriptedEngine([python_turn(WRITE_FILE), python_turn(WAIT_FOR_KILL)])
    cancelled: list[RunFacts | None] = []
    with CancelScope() as scope:
        sandboxes.after_kill = scope.cancel
        try:
            await agent_in(sandboxes, engine, journal).run("Go.")
        except asyncio.CancelledError as error:
            cancelled.append(RunFacts.of(error))
            raise
    (facts,) = cancelled
    assert facts is not None
    assert facts.usage.tool_calls == 1
    await leftovers.wait_until_none()
    assert asyncio.all_tasks() == tasks


async def test_an_engine_error_after_the_sandbox_died_leaves_nothing_behind(
    sandboxes: Sandboxes,
) -> None:
    leftovers = Leftovers()

    def kill_sandbox(prompt: str) -> Exception:
        sandboxes.kill()
        return EngineError("the engine died too")

    engine = ScriptedEngine([python_turn("x = 1"), kill_sandbox])
    with pytest.raises(EngineError, match="the engine died too"):
        await agent_in(sandboxes, engine, MemoryJournal()).run("Go.")
    await leftovers.wait_until_none()

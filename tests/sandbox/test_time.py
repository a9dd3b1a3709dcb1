"""Time: an interrupt first, a kill if that does not help, and the caller always knows which."""

from __future__ import annotations

import anyio
import pytest

from ossia.sandbox import Sandbox


@pytest.mark.parametrize(
    "code",
    [
        "while True: pass",
        "import time; time.sleep(1000)",
        "import subprocess; subprocess.run(['sleep', '1000'])",
        "!sleep 1000",
        "import asyncio; await asyncio.sleep(1000)",
        "import threading; threading.Event().wait()",
    ],
)
async def test_a_cell_over_its_time_is_interrupted_and_state_is_kept(
    shared: Sandbox, code: str
) -> None:
    await shared.execute("kept = 'kept'")
    done = await shared.execute(code, timeout_s=0.5)
    assert done.timed_out
    assert not done.state_lost
    assert done.error is not None
    assert done.error.name == "TimeoutError"
    assert done.error.message == (
        "the cell took longer than 0.5 s and was interrupted; variables and files are kept"
    )
    assert (await shared.execute("kept")).result == "'kept'"


@pytest.mark.parametrize(
    "code",
    [
        "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass",
        "import time\nwhile True:\n    try: time.sleep(1000)\n    except KeyboardInterrupt: pass",
        "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)",
    ],
)
async def test_a_cell_that_ignores_the_interrupt_is_killed_and_the_loss_told(
    shared: Sandbox, code: str
) -> None:
    await shared.execute("kept = 1; open('kept', 'w').close()")
    done = await shared.execute(code, timeout_s=0.5)
    assert done.timed_out
    assert done.state_lost
    assert done.error is not None
    assert "variables are lost, files are kept" in done.error.message
    after = await shared.execute("import os; os.path.exists('kept'), 'kept' in globals()")
    assert after.result == "(True, False)"


async def test_output_before_the_time_limit_is_kept(shared: Sandbox) -> None:
    done = await shared.execute("print('so far')\nwhile True: pass", timeout_s=0.5)
    assert done.stdout == "so far\n"


async def test_a_cell_that_finishes_in_spite_of_the_interrupt_is_still_late(
    shared: Sandbox,
) -> None:
    code = "import time\ntry: time.sleep(1000)\nexcept KeyboardInterrupt: print('cleaned up')"
    done = await shared.execute(code, timeout_s=0.5)
    assert (done.timed_out, done.state_lost, done.stdout) == (True, False, "cleaned up\n")


async def test_a_cancelled_cell_stops_and_the_next_one_works(shared: Sandbox) -> None:
    await shared.execute("ticks = 0; kept = 'kept'")
    started = anyio.Event()

    def tell(stream: str, text: str) -> None:
        started.set()

    async with anyio.create_task_group() as group:

        async def run() -> None:
            code = "print('go')\nwhile True: ticks += 1"
            await shared.execute(code, on_output=tell)

        group.start_soon(run)
        with anyio.fail_after(20):
            await started.wait()
        group.cancel_scope.cancel()
    first = await shared.execute("ticks, kept")
    assert first.result is not None
    assert first.result.endswith("'kept')")
    assert (await shared.execute("ticks, kept")).result == first.result


async def test_a_cancelled_cell_that_will_not_stop_takes_the_sandbox_with_it(
    sandbox: Sandbox,
) -> None:
    started = anyio.Event()

    def tell(stream: str, text: str) -> None:
        started.set()

    code = """
import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)
print('go')
while True: pass
"""
    async with anyio.create_task_group() as group:

        async def run() -> None:
            await sandbox.execute(code, on_output=tell)

        group.start_soon(run)
        with anyio.fail_after(20):
            await started.wait()
        group.cancel_scope.cancel()
    done = await sandbox.execute("'works'")
    if done.state_lost:
        done = await sandbox.execute("'works'")
    assert done.result == "'works'"


async def test_an_idle_sandbox_can_be_cancelled_at_once(shared: Sandbox) -> None:
    with anyio.move_on_after(0):
        await shared.execute("1")
    assert (await shared.execute("2")).result == "2"

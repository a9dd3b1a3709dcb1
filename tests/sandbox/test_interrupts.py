"""Time limits and cancellation: a cell is interrupted, and killed if it does not stop."""

from __future__ import annotations

import anyio
import pytest

from ossia.sandbox import Sandbox


async def keeps_state(sandbox: Sandbox) -> bool:
    return (await sandbox.execute("kept")).result == "'kept'"


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
async def test_a_cell_at_its_time_limit_is_interrupted_and_state_is_kept(
    shared: Sandbox, code: str
) -> None:
    await shared.execute("kept = 'kept'")
    done = await shared.execute(code, timeout_s=0.5)
    assert done.timed_out
    assert not done.state_lost
    assert done.error is not None
    assert done.error.name == "TimeoutError"
    assert done.error.message == (
        "The cell timed out after 0.5 s and was interrupted. "
        "Variables and files are kept; processes that it started were stopped."
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
async def test_a_cell_that_ignores_the_interrupt_is_killed_and_the_loss_is_reported(
    shared: Sandbox, code: str
) -> None:
    await shared.execute("kept = 1; open('kept', 'w').close()")
    done = await shared.execute(code, timeout_s=0.5)
    assert done.timed_out
    assert done.state_lost
    assert done.error is not None
    assert done.error.message == (
        "The cell timed out after 0.5 s. It did not stop when interrupted and was killed. "
        "Python was restarted: variables and imports are lost; files in /mnt/data are kept."
    )
    after = await shared.execute("import os; os.path.exists('kept'), 'kept' in globals()")
    assert after.result == "(True, False)"


async def test_background_processes_of_an_interrupted_cell_are_killed_and_earlier_ones_are_kept(
    shared: Sandbox,
) -> None:
    start = "subprocess.Popen(['sleep', '1000'], start_new_session=True)"
    await shared.execute(f"import subprocess; earlier = {start}")
    done = await shared.execute(f"later = {start}\nwhile True: pass", timeout_s=0.5)
    assert done.timed_out
    assert (await shared.execute("earlier.poll(), later.poll()")).result == "(None, -9)"
    await shared.execute("earlier.kill(); earlier.wait()")


async def test_output_before_the_time_limit_is_kept(shared: Sandbox) -> None:
    done = await shared.execute("print('so far')\nwhile True: pass", timeout_s=0.5)
    assert done.stdout == "so far\n"


async def test_a_cell_that_finishes_after_the_interrupt_has_still_timed_out(
    shared: Sandbox,
) -> None:
    code = "import time\ntry: time.sleep(1000)\nexcept KeyboardInterrupt: print('cleaned up')"
    done = await shared.execute(code, timeout_s=0.5)
    assert (done.timed_out, done.state_lost, done.stdout) == (True, False, "cleaned up\n")


async def test_a_cancelled_cell_stops_and_the_next_one_works(shared: Sandbox) -> None:
    await shared.execute("ticks = 0; kept = 'kept'")
    started = anyio.Event()

    def on_output(stream: str, text: str) -> None:
        started.set()

    async with anyio.create_task_group() as group:

        async def run() -> None:
            code = "print('go')\nwhile True: ticks += 1"
            await shared.execute(code, on_output=on_output)

        group.start_soon(run)
        with anyio.fail_after(20):
            await started.wait()
        group.cancel_scope.cancel()
    first = await shared.execute("ticks, kept")
    assert first.result is not None
    assert first.result.endswith("'kept')")
    assert (await shared.execute("ticks, kept")).result == first.result


async def test_a_cancelled_cell_that_does_not_stop_restarts_the_sandbox(
    sandbox: Sandbox,
) -> None:
    started = anyio.Event()

    def on_output(stream: str, text: str) -> None:
        started.set()

    code = """
import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)
print('go')
while True: pass
"""
    async with anyio.create_task_group() as group:

        async def run() -> None:
            await sandbox.execute(code, on_output=on_output)

        group.start_soon(run)
        with anyio.fail_after(20):
            await started.wait()
        group.cancel_scope.cancel()
    done = await sandbox.execute("'works'")
    if done.state_lost:
        done = await sandbox.execute("'works'")
    assert done.result == "'works'"


async def test_a_call_can_be_cancelled_at_once(shared: Sandbox) -> None:
    with anyio.move_on_after(0):
        await shared.execute("1")
    assert (await shared.execute("2")).result == "2"


async def test_an_interrupt_before_the_cell_has_started_is_not_lost(
    shared: Sandbox,
) -> None:
    await shared.execute("kept = 'kept'")
    for _ in range(20):
        late = await shared.execute("while True: pass", timeout_s=1e-6)
        assert (late.timed_out, late.state_lost) == (True, False)
    assert await keeps_state(shared)


async def test_a_cell_that_is_cancelled_while_it_is_sent_stops_and_state_is_kept(
    shared: Sandbox,
) -> None:
    await shared.execute("kept = 'kept'")
    for _ in range(20):
        with anyio.move_on_after(0) as scope:
            await shared.execute("while True: pass")
        assert scope.cancelled_caught
        assert await keeps_state(shared)


async def test_an_interrupt_that_a_cell_blocked_does_not_reach_the_next_cell(
    shared: Sandbox,
) -> None:
    code = """
import signal, time
kept = 'kept'
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
while signal.SIGINT not in signal.sigpending(): time.sleep(0.01)
"""
    late = await shared.execute(code, timeout_s=0.2)
    assert (late.timed_out, late.state_lost) == (True, False)
    assert await keeps_state(shared)
    late = await shared.execute("while True: pass", timeout_s=0.2)
    assert (late.timed_out, late.state_lost) == (True, False)
    assert await keeps_state(shared)


async def test_the_start_of_a_new_interpreter_does_not_count_as_the_cells_time(
    shared: Sandbox,
) -> None:
    code = """
import os, site
slow = f"{site.getusersitepackages()}/usercustomize.py"
os.makedirs(os.path.dirname(slow))
print("import time; time.sleep(1.5)", file=open(slow, "w"), flush=True)
os._exit(0)
"""
    assert (await shared.execute(code)).state_lost
    prompt = await shared.execute("'prompt'", timeout_s=1)
    assert (prompt.result, prompt.timed_out) == ("'prompt'", False)
    await shared.execute("import shutil, site; shutil.rmtree(site.getuserbase())")


async def test_an_interpreter_that_closed_its_control_socket_is_killed(shared: Sandbox) -> None:
    deaf = await shared.execute("import os; os.closerange(3, 1 << 16)\nwhile True: pass")
    assert deaf.error is not None
    assert deaf.error.message == (
        "The interpreter closed its control socket and was killed. Python was restarted: "
        "variables and imports are lost; files in /mnt/data are kept."
    )
    assert (await shared.execute("6 * 7")).result == "42"


async def test_an_interrupt_while_ipython_is_imported_is_ignored(shared: Sandbox) -> None:
    # Python imports the user's own packages before those of the image.
    code = """
import os, site
os.makedirs(site.getusersitepackages())
with open(f"{site.getusersitepackages()}/IPython.py", "w") as file:
    file.write("import os, signal; os.kill(os.getpid(), signal.SIGINT); raise ImportError")
os._exit(0)
"""
    assert (await shared.execute(code)).state_lost
    assert (await shared.execute("%pwd")).error is not None, "IPython is not imported"
    clean_up = "import os, shutil, site; shutil.rmtree(site.getuserbase()); os._exit(7)"
    without_ipython = await shared.execute(clean_up)
    assert without_ipython.error is not None
    assert "exited with status 7" in without_ipython.error.message
    assert (await shared.execute("%pwd")).result == "'/mnt/data'"

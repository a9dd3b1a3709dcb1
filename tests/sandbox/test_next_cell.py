"""Between two cells: an interrupt reaches the cell it is meant for, and state outlives mischief."""

from __future__ import annotations

import anyio
import pytest

from ossia.sandbox import Sandbox


async def kept(sandbox: Sandbox) -> bool:
    return (await sandbox.execute("kept")).result == "'kept'"


async def test_state_is_kept_where_a_cell_made_every_descriptor_non_blocking(
    shared: Sandbox,
) -> None:
    code = """
import os
kept = 'kept'
for fd in range(1024):
    try: os.set_blocking(fd, False)
    except OSError: pass
"""
    await shared.execute(code)
    # The interpreter waits for its next cell by now; a socket that will not wait would end it.
    await shared.put("pause", b"")
    assert await kept(shared)
    long = await shared.execute("print('x' * 1_000_000)")
    assert long.error is None
    assert "all 1000001 bytes are in" in long.stdout


async def test_an_interrupt_that_comes_before_its_cell_has_begun_is_not_lost(
    shared: Sandbox,
) -> None:
    await shared.execute("kept = 'kept'")
    for _ in range(20):
        late = await shared.execute("while True: pass", timeout_s=1e-6)
        assert (late.timed_out, late.state_lost) == (True, False)
    assert await kept(shared)


async def test_a_cell_that_is_cancelled_as_it_is_sent_stops_and_state_is_kept(
    shared: Sandbox,
) -> None:
    await shared.execute("kept = 'kept'")
    for _ in range(20):
        with anyio.move_on_after(0) as scope:
            await shared.execute("while True: pass")
        assert scope.cancelled_caught
        assert await kept(shared)


async def test_an_interrupt_that_a_cell_held_up_does_not_reach_the_next(shared: Sandbox) -> None:
    code = """
import signal, time
kept = 'kept'
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
while signal.SIGINT not in signal.sigpending(): time.sleep(0.01)
"""
    late = await shared.execute(code, timeout_s=0.2)
    assert (late.timed_out, late.state_lost) == (True, False)
    assert await kept(shared)
    late = await shared.execute("while True: pass", timeout_s=0.2)
    assert (late.timed_out, late.state_lost) == (True, False)
    assert await kept(shared)


async def test_the_time_that_a_new_interpreter_takes_is_not_the_cells(shared: Sandbox) -> None:
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


async def test_an_interpreter_that_can_no_longer_report_is_not_waited_for(shared: Sandbox) -> None:
    deaf = await shared.execute("import os; os.closerange(3, 1 << 16)\nwhile True: pass")
    assert deaf.error is not None
    assert deaf.error.message == (
        "the interpreter cut its line to us, and was killed; variables are lost, files are kept"
    )
    assert (await shared.execute("6 * 7")).result == "42"


@pytest.mark.parametrize("after_s", [0.0, 0.01])
async def test_a_file_whose_sending_was_cancelled_leaves_no_part(
    shared: Sandbox, after_s: float
) -> None:
    with anyio.move_on_after(after_s):
        await shared.put("given-up", bytes(32 << 20))
    assert [file.path for file in await shared.list() if "given-up" in file.path] in (
        [],
        ["/mnt/data/given-up"],
    )

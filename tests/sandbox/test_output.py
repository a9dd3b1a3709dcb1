"""Output: from Python, C code and child processes, in order, immediately, and bounded."""

from __future__ import annotations

import anyio
import pytest

from ossia.sandbox import Sandbox

CAP = 16 * 1024


async def test_output_of_c_code_and_child_processes_is_captured_in_order(shared: Sandbox) -> None:
    code = """
import ctypes, os, subprocess, sys
libc = ctypes.CDLL(None)
print("one")
libc.puts(b"two"); libc.fflush(None)
os.write(1, b"three\\n")
subprocess.run(["echo", "four"])
print("five", end="")
os.system("echo ' six'")
libc.printf(b"seven")
"""
    done = await shared.execute(code)
    assert done.stdout == "one\ntwo\nthree\nfour\nfive six\nseven"


async def test_output_arrives_while_the_cell_runs(shared: Sandbox) -> None:
    # The cell runs until its first line has been received here.
    received: list[tuple[str, str]] = []
    code = """
import os, sys, time
print("first", end="")
print("problem", file=sys.stderr)
while not os.path.exists("answer"): time.sleep(0.01)
os.unlink("answer")
print("second")
"""
    first = anyio.Event()

    def on_output(stream: str, text: str) -> None:
        received.append((stream, text))
        first.set()

    async with anyio.create_task_group() as group:
        group.start_soon(lambda: shared.execute(code, timeout_s=1, on_output=on_output))
        with anyio.fail_after(20):
            await first.wait()
    assert "first" in "".join(text for stream, text in received if stream == "stdout")
    assert "problem\n" in "".join(text for stream, text in received if stream == "stderr")


async def test_a_character_that_a_pipe_splits_is_restored(shared: Sandbox) -> None:
    code = "import os, time\nfor byte in '€'.encode(): os.write(1, bytes([byte])); time.sleep(0.01)"
    assert (await shared.execute(code)).stdout == "€"


async def test_invalid_text_is_shown_with_replacement_characters(shared: Sandbox) -> None:
    assert (await shared.execute(r"import os; os.write(1, b'a\xff\x00b');")).stdout == "a\ufffd\0b"


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
async def test_long_output_keeps_both_ends_and_is_saved_in_a_file(
    shared: Sandbox, stream: str
) -> None:
    code = f"import sys\nfor i in range(20000): print('line', i, file=sys.{stream})"
    done = await shared.execute(code)
    text = done.stdout if stream == "stdout" else done.stderr
    whole = "".join(f"line {i}\n" for i in range(20000))
    assert len(text) < CAP + 200
    assert text.startswith("line 0\nline 1\n")
    assert text.endswith("line 19998\nline 19999\n")
    (file,) = done.files
    assert f"all {len(whole)} bytes are in {file}" in text
    assert (await shared.get(file)).decode() == whole


async def test_a_huge_result_is_shortened(shared: Sandbox) -> None:
    done = await shared.execute("'x' * 3_000_000")
    assert done.result is not None
    assert len(done.result) < CAP + 200
    (file,) = done.files
    assert f"the full text is in {file}" in done.result
    assert len(await shared.get(file)) == 3_000_002


async def test_a_huge_message_and_traceback_are_shortened(shared: Sandbox) -> None:
    done = await shared.execute("raise ValueError('y' * 3_000_000)")
    assert done.error is not None
    assert len(done.error.message) < CAP
    assert len(done.error.traceback) < 2 * CAP


async def test_output_that_cannot_be_saved_says_so(shared: Sandbox) -> None:
    code = """
import os
with open("filler", "wb") as file:
    try:
        while True: file.write(bytes(1 << 20))
    except OSError: pass
"""
    await shared.execute(code)
    done = await shared.execute("print('z' * 100_000)")
    await shared.execute("os.unlink('filler')")
    assert "bytes omitted" in done.stdout
    assert "were not saved" in done.stdout or "the first" in done.stdout


async def test_an_exception_in_the_callback_stops_the_cell_and_is_raised(shared: Sandbox) -> None:
    class CallbackError(Exception):
        pass

    def refuse(stream: str, text: str) -> None:
        raise CallbackError

    with pytest.raises(CallbackError):
        await shared.execute("print('x')\nwhile True: pass", on_output=refuse)
    assert (await shared.execute("'still here'")).result == "'still here'"


async def test_a_background_thread_writes_to_later_cells(shared: Sandbox) -> None:
    code = """
import threading
go = threading.Event()
def late(): go.wait(); print("late")
thread = threading.Thread(target=late); thread.start();
"""
    assert (await shared.execute(code)).stdout == ""
    assert (await shared.execute("go.set(); thread.join()")).stdout == "late\n"

"""The python tool, on the kernel that every sandbox runs."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from ossia.errors import SandboxPathError
from ossia.harmony import Message
from ossia.sandbox import SandboxPool, UnsafeLocalSandbox
from ossia.tools import PythonTool, Toolbox

PYTHON = PythonTool(UnsafeLocalSandbox)


def call(code: str, recipient: str = "python") -> Message:
    return Message("assistant", code, channel="analysis", recipient=recipient, content_type="code")


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("print(6 * 7)", "42"),
        ("6 * 7", "42"),
        ("print('a'); 'b'", "a\n'b'"),
        ("import sys; print('out'); print('err', file=sys.stderr); 1", "out\nerr\n1"),
        ("x = 1", "The code ran. It printed nothing, and its last line is no expression with a v"),
        ("", "The code ran. It printed nothing"),
        ('{"code": "print(6 * 7)"}', "42"),
        ("```python\nprint(6 * 7)\n```", "42"),
    ],
)
async def test_the_model_reads_what_a_notebook_shows(code: str, text: str) -> None:
    async with Toolbox([PYTHON]) as tools:
        answer = await tools.call(call(code))
    assert answer.message.text.startswith(text)
    assert (answer.message.name, answer.message.channel) == ("python", "analysis")
    assert not answer.failed


async def test_the_notebook_keeps_its_state_through_the_run_and_no_longer() -> None:
    async with Toolbox([PYTHON]) as tools:
        await tools.call(call("x = 20"))
        assert (await tools.call(call("x + 1"))).message.text == "21"
    async with Toolbox([PYTHON]) as tools:
        assert "NameError" in (await tools.call(call("x"))).message.text


async def test_an_error_is_shown_with_its_traceback() -> None:
    async with Toolbox([PYTHON]) as tools:
        answer = await tools.call(call("print('before')\n1 / 0"))
    assert answer.failed
    assert answer.message.text.startswith("before\n")
    assert "Traceback" in answer.message.text
    assert answer.message.text.endswith("ZeroDivisionError: division by zero")


async def test_a_deadline_is_told_and_the_state_is_kept() -> None:
    async with Toolbox([replace(PYTHON, timeout_s=1)]) as tools:
        answer = await tools.call(call("x = 5\nprint('begun', flush=True)\nwhile True: pass"))
        assert answer.failed
        assert answer.message.text.startswith("begun\n")
        assert "TimeoutError: The cell timed out after 1 s" in answer.message.text
        assert (await tools.call(call("x"))).message.text == "5"


async def test_a_dead_interpreter_is_told_and_the_next_call_works() -> None:
    async with Toolbox([PYTHON]) as tools:
        answer = await tools.call(call("import os; os._exit(3)"))
        assert answer.failed
        assert "variables" in answer.message.text
        assert (await tools.call(call("1 + 1"))).message.text == "2"


async def test_new_files_are_named() -> None:
    async with Toolbox([PYTHON]) as tools:
        answer = await tools.call(call("open('plot.csv', 'w').write('a')"))
    assert answer.message.text == "1\nFiles written: /mnt/data/plot.csv"
    assert answer.files == ("/mnt/data/plot.csv",)


async def test_what_functions_return_as_files_python_can_read() -> None:
    def table() -> bytes:
        return b"a,b\n1,2\n"

    async with Toolbox([table, PYTHON]) as tools:
        told = await tools.call(
            Message("assistant", "{}", channel="commentary", recipient="functions.table")
        )
        assert told.message.text == "The file is /mnt/data/table-1.bin (8 bytes)."
        assert told.files == ("/mnt/data/table-1.bin",)
        assert (
            await tools.call(call("open('table-1.bin').read()"))
        ).message.text == r"'a,b\n1,2\n'"


class FullSandbox(UnsafeLocalSandbox):
    async def put(self, path: str, data: bytes) -> None:
        raise SandboxPathError(f"cannot write {path}: no space left on device")


async def test_a_file_the_sandbox_has_no_room_for_is_kept_outside(
    monkeypatch: pytest.MonkeyPatch, tmp_path: str
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def table() -> bytes:
        return b"a,b\n1,2\n"

    async with Toolbox([table, PythonTool(FullSandbox)]) as tools:
        told = await tools.call(
            Message("assistant", "{}", channel="commentary", recipient="functions.table")
        )
    assert told.files[0].startswith(str(tmp_path))
    assert not told.failed


async def test_the_deadline_the_model_is_told_of_is_the_true_one() -> None:
    assert "time out after 9.0 seconds" in str(PythonTool(timeout_s=9).namespace.description)


async def test_a_sandbox_of_the_users_own_is_his_to_keep() -> None:
    async with UnsafeLocalSandbox() as sandbox:

        @asynccontextmanager
        async def held() -> AsyncGenerator[UnsafeLocalSandbox]:
            yield sandbox

        for code in ("x = 3", "x + 1"):
            async with Toolbox([PythonTool(held)]) as tools:
                message = (await tools.call(call(code))).message
        assert message.text == "4"


async def test_each_run_takes_a_fresh_sandbox_from_a_pool() -> None:
    async with SandboxPool(make=UnsafeLocalSandbox, size=1) as pool:
        for _ in range(2):
            async with Toolbox([PythonTool(pool.acquire)]) as tools:
                assert "NameError" in (await tools.call(call("x"))).message.text
                await tools.call(call("x = 1"))


@pytest.mark.parametrize("recipient", ["python", "functions.python", "python.exec", "pythoncode"])
async def test_calls_find_python_under_its_other_names(recipient: str) -> None:
    async with Toolbox([PYTHON]) as tools:
        message = (await tools.call(call("1 + 1", recipient))).message
    assert (message.name, message.text) == ("python", "2")

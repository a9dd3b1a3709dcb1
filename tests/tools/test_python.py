"""The python tool, with the kernel that every sandbox runs."""

import importlib
import json
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from ossia.errors import SandboxPathError, ToolDefinitionError
from ossia.harmony import Message
from ossia.sandbox import SandboxPool, UnsafeLocalSandbox
from ossia.tools import PythonTool, Toolbox
from ossia.tools.python import python_description, read_source

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
        ("x = 1", "The code ran without output."),
        ("", "The code ran without output."),
        ('{"code": "print(6 * 7)"}', "42"),
        ("```python\nprint(6 * 7)\n```", "42"),
    ],
)
async def test_the_model_reads_what_a_notebook_would_show(code: str, text: str) -> None:
    async with Toolbox([PYTHON]) as tools:
        result = await tools.call(call(code))
    assert result.message.text.startswith(text)
    assert (result.message.name, result.message.channel) == ("python", "analysis")
    assert not result.failed


async def test_the_notebook_keeps_its_state_until_the_run_ends() -> None:
    async with Toolbox([PYTHON]) as tools:
        await tools.call(call("x = 20"))
        assert (await tools.call(call("x + 1"))).message.text == "21"
    async with Toolbox([PYTHON]) as tools:
        assert "NameError" in (await tools.call(call("x"))).message.text


async def test_an_exception_is_shown_with_its_traceback() -> None:
    async with Toolbox([PYTHON]) as tools:
        result = await tools.call(call("print('before')\n1 / 0"))
    assert result.failed
    assert result.message.text.startswith("before\n")
    assert "Traceback" in result.message.text
    assert result.message.text.endswith("ZeroDivisionError: division by zero")


async def test_a_timeout_is_reported_and_the_state_is_kept() -> None:
    async with Toolbox([replace(PYTHON, timeout_s=1)]) as tools:
        result = await tools.call(call("x = 5\nprint('started', flush=True)\nwhile True: pass"))
        assert result.failed
        assert result.message.text.startswith("started\n")
        assert "TimeoutError: The cell timed out after 1 s" in result.message.text
        assert (await tools.call(call("x"))).message.text == "5"


async def test_a_dead_interpreter_is_reported_and_the_next_call_works() -> None:
    async with Toolbox([PYTHON]) as tools:
        result = await tools.call(call("import os; os._exit(3)"))
        assert result.failed
        assert "variables" in result.message.text
        assert (await tools.call(call("1 + 1"))).message.text == "2"


async def test_the_result_names_new_files() -> None:
    async with Toolbox([PYTHON]) as tools:
        result = await tools.call(call("open('plot.csv', 'w').write('a')"))
    assert result.message.text == "1\nFiles written: /mnt/data/plot.csv"
    assert result.files == ("/mnt/data/plot.csv",)


async def test_python_can_read_files_that_functions_return() -> None:
    def table() -> bytes:
        return b"a,b\n1,2\n"

    async with Toolbox([table, PYTHON]) as tools:
        result = await tools.call(
            Message("assistant", "{}", channel="commentary", recipient="functions.table")
        )
        assert result.message.text == "File saved: /mnt/data/table-1.bin (8 bytes)"
        assert result.files == ("/mnt/data/table-1.bin",)
        assert (
            await tools.call(call("open('table-1.bin').read()"))
        ).message.text == r"'a,b\n1,2\n'"


class FullSandbox(UnsafeLocalSandbox):
    async def put(self, path: str, data: bytes) -> None:
        raise SandboxPathError(f"cannot write {path}: no space left on device")


async def test_a_file_that_does_not_fit_into_the_sandbox_is_stored_outside(
    monkeypatch: pytest.MonkeyPatch, tmp_path: str
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def table() -> bytes:
        return b"a,b\n1,2\n"

    async with Toolbox([table, PythonTool(FullSandbox)]) as tools:
        result = await tools.call(
            Message("assistant", "{}", channel="commentary", recipient="functions.table")
        )
    assert result.files[0].startswith(str(tmp_path))
    assert not result.failed


async def test_the_description_has_the_actual_timeout() -> None:
    assert "time out after 9.0 seconds" in str(PythonTool(timeout_s=9).namespace.description)


async def test_a_sandbox_can_outlive_the_run() -> None:
    async with UnsafeLocalSandbox() as sandbox:

        @asynccontextmanager
        async def open_existing() -> AsyncGenerator[UnsafeLocalSandbox]:
            yield sandbox

        for code in ("x = 3", "x + 1"):
            async with Toolbox([PythonTool(open_existing)]) as tools:
                message = (await tools.call(call(code))).message
        assert message.text == "4"


async def test_each_run_gets_a_fresh_sandbox_from_a_pool() -> None:
    async with SandboxPool(make=UnsafeLocalSandbox, size=1) as pool:
        for _ in range(2):
            async with Toolbox([PythonTool(pool.acquire)]) as tools:
                assert "NameError" in (await tools.call(call("x"))).message.text
                await tools.call(call("x = 1"))


@pytest.mark.parametrize("recipient", ["python", "functions.python", "python.exec", "pythoncode"])
async def test_a_call_to_python_under_another_name_is_run(recipient: str) -> None:
    async with Toolbox([PYTHON]) as tools:
        message = (await tools.call(call("1 + 1", recipient))).message
    assert (message.name, message.text) == ("python", "2")


CODE = "x = {'a': 1}\nprint(x['a'])"


@pytest.mark.parametrize(
    "text",
    [
        CODE,
        f"```python\n{CODE}\n```",
        f"```\n{CODE}\n```\n",
        f"\n```py\n{CODE}```",
        json.dumps({"code": CODE}),
        json.dumps({"script": CODE}, indent=2),
        json.dumps({"code": f"```python\n{CODE}\n```"}),
        f"```json\n{json.dumps({'code': CODE})}\n```",
        json.dumps(json.dumps({"code": CODE})),
    ],
)
def test_the_code_of_a_call_is_found(text: str) -> None:
    assert read_source(text) == CODE


@pytest.mark.parametrize(
    "code",
    [
        "",
        "{}",
        "{'code': 'x'}",
        '{"a": 1}',
        '{"code": 1}',
        '{"code": "x", "y": z}',
        '{"n": 1, **{}}',
        '"a string"',
        '"""a\ndocstring"""\nx = 1',
        "s = '''\n```python\nx\n```\n'''",
        "```python\na = 1\n```\nand then\n```python\nb = 2\n```",
        "    indented = 1",
        "[1, 2]",
    ],
)
def test_other_text_is_run_as_it_is(code: str) -> None:
    assert read_source(code) == code


def test_the_description_is_word_for_word_that_of_the_reference() -> None:
    SystemContent = importlib.import_module("openai_harmony").SystemContent  # noqa: N806 - it ships no types
    tools = SystemContent.new().with_python_tool().tools
    assert tools is not None
    assert tools["python"].description == python_description()


def test_another_timeout_changes_only_the_number() -> None:
    description = python_description(9)
    assert description.replace("9.0 seconds", "120.0 seconds") == python_description()


def test_importing_the_tools_loads_no_heavy_library() -> None:
    code = (
        "import sys, ossia.tools\n"
        "print(*sorted({'docker', 'httpx', 'playwright'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


async def test_files_of_the_user_are_there_when_a_run_starts(tmp_path: Path) -> None:
    local = tmp_path / "local.csv"
    local.write_text("a,b\n1,2\n")
    files: dict[str, bytes | str | Path] = {
        "data.csv": local,
        "/mnt/data/raw.bin": b"\x00\x01",
        "in/c.txt": str(local),
    }
    python = PythonTool(UnsafeLocalSandbox, files=files)
    code = "for name in ('data.csv', 'raw.bin', 'in/c.txt'): print(len(open(name, 'rb').read()))"
    async with Toolbox([python]) as tools:
        assert (await tools.call(call(code))).message.text == "8\n2\n8"


def test_a_missing_file_of_the_user_is_found_at_construction() -> None:
    with pytest.raises(ToolDefinitionError, match=r"this file does not exist\. To give"):
        PythonTool(UnsafeLocalSandbox, files={"a.csv": "missing.csv"})

"""Tools in a process that goes on where another one was killed."""

from __future__ import annotations

from ossia.harmony import Message
from ossia.sandbox import UnsafeLocalSandbox
from ossia.tools import PythonTool, Toolbox, tool


def python(code: str) -> Message:
    return Message("assistant", code, channel="analysis", recipient="python", content_type="code")


@tool(idempotent=True)
def look() -> str:
    """Look."""
    return "seen"


def pay() -> str:
    """Pay."""
    return "paid"


async def test_python_goes_on_with_its_files_and_says_that_variables_are_gone() -> None:
    async with Toolbox([PythonTool(UnsafeLocalSandbox)]) as first:
        ask = python("x = 1; import os; os.makedirs('sub'); open('sub/a.txt', 'w').write('hi')")
        answer = await first.call(ask)
        changes = first.changes()
        assert first.changes() == {}
        files = {path: await first.read(path) for path in answer.files}
    async with Toolbox([PythonTool(UnsafeLocalSandbox)]) as second:
        await second.put_back(files)
        second.restore({name: [change] for name, change in changes.items()})
        told = (
            (await second.call(python("print(open('sub/a.txt').read(), 'x' in dir())"))).message
        ).text
        again = (await second.call(python("print('quiet')"))).message.text
    assert "variables and imports are gone" in told
    assert told.endswith("hi False")
    assert again == "quiet"


async def test_a_tool_says_whether_its_calls_may_be_made_again() -> None:
    async with Toolbox([look, pay, PythonTool(UnsafeLocalSandbox)]) as toolbox:
        asks = [
            Message("assistant", "{}", recipient=f"functions.{name}") for name in ("look", "pay")
        ]
        assert [toolbox.resolve(ask).idempotent for ask in [*asks, python("1")]] == [
            True,
            False,
            False,
        ]
        assert toolbox.changes() == {}


async def test_files_are_left_out_where_no_tool_has_a_place_for_them() -> None:
    async with Toolbox([look]) as toolbox:
        await toolbox.put_back({"/mnt/data/a": b"x"})
        asked = Message("assistant", "{}", recipient="functions.look")
        assert (await toolbox.call(asked)).message.text == "seen"

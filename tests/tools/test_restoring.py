"""Tools in a process that resumes the run of another process."""

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


async def test_python_has_its_files_again_and_says_that_variables_are_lost() -> None:
    async with Toolbox([PythonTool(UnsafeLocalSandbox)]) as first:
        message = python("x = 1; import os; os.makedirs('sub'); open('sub/a.txt', 'w').write('hi')")
        result = await first.call(message)
        changes = first.changes()
        assert first.changes() == {}
        files = {path: await first.read(path) for path in result.files}
    async with Toolbox([PythonTool(UnsafeLocalSandbox)]) as second:
        await second.restore_files(files)
        second.restore({name: [change] for name, change in changes.items()})
        text = (
            (await second.call(python("print(open('sub/a.txt').read(), 'x' in dir())"))).message
        ).text
        again = (await second.call(python("print('quiet')"))).message.text
    assert "Python was restarted. Variables and imports are lost" in text
    assert text.endswith("hi False")
    assert again == "quiet"


async def test_a_tool_says_whether_its_calls_can_be_repeated() -> None:
    async with Toolbox([look, pay, PythonTool(UnsafeLocalSandbox)]) as toolbox:
        names = ["functions.look", "functions.pay", "python"]
        calls = [toolbox.resolve(Message("assistant", "{}", recipient=name)) for name in names]
        assert [call.idempotent for call in calls] == [True, False, False]
        assert toolbox.changes() == {}


async def test_files_are_skipped_if_no_tool_stores_files() -> None:
    async with Toolbox([look]) as toolbox:
        await toolbox.restore_files({"/mnt/data/a": b"x"})
        message = Message("assistant", "{}", recipient="functions.look")
        assert (await toolbox.call(message)).message.text == "seen"

"""Recipients of calls, in all the ways that models write them."""

import pytest

from ossia.harmony import Message
from ossia.harmony.rendering import render
from ossia.sandbox import UnsafeLocalSandbox
from ossia.tools import PythonTool, Toolbox, ToolDefinitionError, tool


def get_weather(city: str = "here") -> str:
    return f"sun in {city}"


def shell(command: str = "ls") -> str:
    return command


def python_version() -> str:
    return "3.11"


def call(recipient: str | None, channel: str | None = "commentary") -> Message:
    return Message("assistant", "{}", channel=channel, recipient=recipient)


@pytest.mark.parametrize(
    ("written", "recipient"),
    [
        ("functions.get_weather", "functions.get_weather"),
        ("get_weather", "functions.get_weather"),
        ("function.get_weather", "functions.get_weather"),
        ("tools.get_weather", "functions.get_weather"),
        ("tool.shell", "functions.shell"),
        ("functions.functions.shell", "functions.shell"),
        ("functions.shelljson", "functions.shell"),
        ("shellcode", "functions.shell"),
    ],
)
async def test_a_misspelled_recipient_is_resolved(written: str, recipient: str) -> None:
    async with Toolbox([get_weather, shell, python_version]) as tools:
        result = await tools.call(call(written))
    assert (result.message.name, result.failed) == (recipient, False)


@pytest.mark.parametrize(
    ("name", "for_the_model"),
    [("admin.users list", "admin_users_list"), ("2x", "_2x"), ("größe", "gr__e"), ("a-b", "a-b")],
)
@pytest.mark.parametrize("prefix", ["", "functions."])
async def test_a_name_that_a_model_cannot_write(name: str, for_the_model: str, prefix: str) -> None:
    function = tool(shell, name=name)
    assert (function.name, function.namespace.tools[0].name) == (name, for_the_model)
    async with Toolbox([function]) as tools:
        for written in (name, for_the_model):
            message = (await tools.call(call(prefix + written))).message
            assert (message.name, message.text) == (f"functions.{for_the_model}", "ls")


def test_two_names_that_a_model_would_write_alike() -> None:
    with pytest.raises(ToolDefinitionError, match=r"two tools have the name 'functions.a_b'"):
        Toolbox([tool(shell, name="a.b"), tool(shell, name="a b")])


@pytest.mark.parametrize("channel", ["commentary", "analysis"])
async def test_the_result_is_in_the_channel_of_its_call(channel: str) -> None:
    async with Toolbox([shell]) as tools:
        assert (await tools.call(call("functions.shell", channel))).message.channel == channel


@pytest.mark.parametrize("channel", ["final", None, "comment"])
async def test_a_call_in_a_wrong_channel_gets_its_result_in_the_right_one(
    channel: str | None,
) -> None:
    async with Toolbox([shell]) as tools:
        message = (await tools.call(call("functions.shell", channel))).message
    assert (message.channel, message.text) == ("commentary", "ls")


@pytest.mark.parametrize(
    "written",
    ["container.exec", "container.feed_chars", "functions.container.exec", "bash"],
)
async def test_a_shell_that_is_not_there_is_answered_with_python(written: str) -> None:
    async with Toolbox([PythonTool(UnsafeLocalSandbox)]) as tools:
        result = await tools.call(call(written))
    assert result.failed
    assert result.message.text.endswith("Use python, and its module subprocess to run commands.")


@pytest.mark.parametrize(
    ("written", "error"),
    [
        ("functions.get_wether", "'. Did you mean functions.get_weather?"),
        ("Shell", "'. Did you mean functions.shell?"),
        ("tool.Bash", "'. Available tools: functions.get_weather, functions.shell"),
        ("container.exec", "'. Available tools: functions.get_weather, functions.shell"),
        ("browser.search", "'. Available tools: functions.get_weather, functions.shell"),
        ("", "'. Available tools: functions.get_weather, functions.shell"),
        (None, "'. Available tools: functions.get_weather, functions.shell"),
    ],
)
async def test_a_call_to_an_unknown_tool_lists_the_tools(written: str | None, error: str) -> None:
    async with Toolbox([get_weather, shell]) as tools:
        result = await tools.call(call(written))
    assert result.failed
    assert result.message.text == f"Error: there is no tool '{written or ''}{error}"


async def test_without_tools_the_model_is_told_to_answer_without_them() -> None:
    async with Toolbox([]) as tools:
        message = (await tools.call(call("python"))).message
    assert message.text == (
        "Error: there is no tool 'python', and there are no other tools. Answer without tools."
    )


async def test_only_some_of_many_tools_are_listed() -> None:
    many = [tool(shell, name=f"tool_{number}") for number in range(100)]
    async with Toolbox(many) as tools:
        message = (await tools.call(call("browser.search"))).message
    assert message.text.endswith("functions.tool_19 and 80 more")


@pytest.mark.parametrize(
    "written",
    ["functions.none", "no such", "<|start|>", "user", "system:x.y", "a\nb", "ü.ü", "x" * 5000, ""],
)
async def test_the_result_of_a_call_to_a_made_up_name_can_be_rendered(written: str) -> None:
    async with Toolbox([shell]) as tools:
        message = (await tools.call(call(written))).message
    assert render([message])

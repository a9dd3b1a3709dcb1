"""Whom a call is meant for, in all the ways that models write it."""

import pytest

from ossia.harmony import Message
from ossia.harmony.rendering import render
from ossia.tools import Toolbox, tool


def get_weather(city: str = "here") -> str:
    return f"sun in {city}"


def shell(command: str = "ls") -> str:
    return command


def python_version() -> str:
    return "3.11"


def call(recipient: str | None, channel: str | None = "commentary") -> Message:
    return Message("assistant", "{}", channel=channel, recipient=recipient)


@pytest.mark.parametrize(
    ("written", "meant"),
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
async def test_a_call_finds_its_tool(written: str, meant: str) -> None:
    async with Toolbox([get_weather, shell, python_version]) as tools:
        answer = await tools.call(call(written))
    assert (answer.message.name, answer.failed) == (meant, False)


@pytest.mark.parametrize("channel", ["commentary", "analysis"])
async def test_the_answer_is_in_the_channel_of_its_call(channel: str) -> None:
    async with Toolbox([shell]) as tools:
        assert (await tools.call(call("functions.shell", channel))).message.channel == channel


@pytest.mark.parametrize("channel", ["final", None, "comment"])
async def test_a_call_in_a_wrong_channel_is_answered_in_the_right_one(channel: str | None) -> None:
    async with Toolbox([shell]) as tools:
        message = (await tools.call(call("functions.shell", channel))).message
    assert (message.channel, message.text) == ("commentary", "ls")


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (
            "functions.get_wether",
            "there is no tool 'functions.get_wether'; did you mean functions.get_weather?",
        ),
        ("Shell", "there is no tool 'Shell'; did you mean functions.shell?"),
        ("tool.Bash", "there is no tool 'tool.Bash'; there are functions.get_weather, functions."),
        ("container.exec", "there is no tool 'container.exec'; there are functions.get_weather, f"),
        ("browser.search", "there is no tool 'browser.search'; there are functions.get_weather, f"),
        ("", "there is no tool ''; there are functions.get_weather, functions.shell"),
        (None, "there is no tool ''; there are functions.get_weather, functions.shell"),
    ],
)
async def test_a_call_to_nobody_is_told_who_is_there(written: str | None, said: str) -> None:
    async with Toolbox([get_weather, shell]) as tools:
        answer = await tools.call(call(written))
    assert answer.failed
    assert answer.message.text.startswith(f"Error: {said}")


async def test_without_any_tool_the_model_is_told_to_answer() -> None:
    async with Toolbox([]) as tools:
        message = (await tools.call(call("python"))).message
    assert message.text == "Error: there is no tool 'python', and no other; answer without one"


async def test_of_many_tools_some_are_named() -> None:
    many = [tool(shell, name=f"tool_{number}") for number in range(100)]
    async with Toolbox(many) as tools:
        message = (await tools.call(call("browser.search"))).message
    assert message.text.endswith("functions.tool_19 and 80 more")


@pytest.mark.parametrize(
    "written",
    ["functions.none", "no such", "<|start|>", "user", "system:x.y", "a\nb", "ü.ü", "x" * 5000, ""],
)
async def test_the_answer_to_a_made_up_name_can_be_rendered(written: str) -> None:
    async with Toolbox([shell]) as tools:
        message = (await tools.call(call(written))).message
    assert render([message])

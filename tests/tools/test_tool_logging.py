"""The log of tool calls: one line per call, and no secrets."""

import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from ossia.errors import SandboxPathError
from ossia.harmony import Message, ToolNamespace
from ossia.tools import (
    FileStore,
    OpenTool,
    RunContext,
    Tool,
    Toolbox,
    ToolError,
    ToolRetry,
    ToolReturn,
)

SECRET = "hunter2"


def call(recipient: str) -> Message:
    arguments = f'{{"password": "{SECRET}"}}'
    return Message("assistant", arguments, channel="commentary", recipient=recipient)


def login(password: str) -> str:
    return f"welcome, {password}"


def break_down(password: str) -> None:
    raise ConnectionError(f"{password} is wrong")


def explain(password: str) -> None:
    raise ToolError(f"{password} is wrong")


def ask_again(password: str) -> None:
    raise ToolRetry(f"{password} is wrong")


def plot(password: str) -> bytes:
    return password.encode()


class FullStoreTool(Tool, FileStore):
    """A tool whose file store takes no file."""

    @property
    def namespace(self) -> ToolNamespace:
        return ToolNamespace("store")

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[OpenTool]:
        yield self

    async def call(self, call: Message, context: RunContext[Any]) -> ToolReturn:
        return ToolReturn("stored")

    async def write_file(self, name: str, data: bytes) -> str:
        raise SandboxPathError(f"no space left for {name}: {data!r}")

    async def read_file(self, path: str) -> bytes:
        raise SandboxPathError(path)


async def test_each_call_is_logged_in_one_line_without_secrets(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    functions = [login, break_down, explain, ask_again, plot]
    caplog.set_level(logging.DEBUG, "ossia.tools")
    async with Toolbox([*functions, FullStoreTool()], folder=tmp_path) as toolbox:
        for name in toolbox.recipients:
            await toolbox.call(call(name))
        await toolbox.call(call(f"no tool has the name {SECRET}"))
    events = [record for record in caplog.records if record.msg.startswith("tool_call_finished")]
    fields = [(vars(event)["tool"], vars(event)["failed"]) for event in events]
    assert fields == [
        ("functions.login", False),
        ("functions.break_down", True),
        ("functions.explain", True),
        ("functions.ask_again", True),
        ("functions.plot", False),
        ("store", False),
        ("functions", True),
    ]
    assert {event.levelno for event in events} == {logging.INFO}
    assert [vars(event).get("error") for event in events[:3]] == [None, "ConnectionError", None]
    stored = [record for record in caplog.records if record not in events]
    assert [record.getMessage() for record in stored] == [
        "file_not_stored_in_sandbox bytes=7 error=SandboxPathError"
    ]
    assert SECRET not in repr([vars(record) for record in caplog.records])
    assert all(record.exc_info is None for record in caplog.records)
    assert capfd.readouterr() == ("", "")

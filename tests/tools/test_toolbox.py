"""Toolbox: the tools of one run, from opening to closing."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from ossia.errors import SandboxDiedError
from ossia.harmony import Message, ToolDescription, ToolNamespace
from ossia.tools import (
    OpenTool,
    RunContext,
    Tool,
    Toolbox,
    ToolDefinitionError,
    ToolError,
    ToolRetry,
    ToolReturn,
    tool,
)


def call(recipient: str, arguments: str = "{}", channel: str = "commentary") -> Message:
    return Message("assistant", arguments, channel=channel, recipient=recipient)


def add(a: int, b: int = 1) -> int:
    """Add two numbers.

    Args:
        a: The first.
        b: The second.
    """
    return a + b


class Diary:
    """An open tool that records its calls."""

    def __init__(self, name: str, events: list[str], error: Exception | None) -> None:
        self.name = name
        self.events = events
        self.error = error

    async def call(self, call: Message, context: RunContext[Any]) -> ToolReturn:
        self.events.append(f"{self.name} gets {call.text} from {call.recipient}")
        if self.error is not None:
            raise self.error
        return ToolReturn("recorded")


class DiaryTool(Tool):
    def __init__(
        self,
        name: str,
        events: list[str],
        open_error: type[Exception] | None = None,
        call_error: Exception | None = None,
    ) -> None:
        self.name = name
        self.events = events
        self.open_error = open_error
        self.call_error = call_error

    @property
    def namespace(self) -> ToolNamespace:
        return ToolNamespace(self.name, "Keeps a diary.")

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[OpenTool]:
        if self.open_error:
            raise self.open_error(self.name)
        self.events.append(f"{self.name} opens")
        try:
            yield Diary(self.name, self.events, self.call_error)
        finally:
            self.events.append(f"{self.name} closes")


async def test_the_result_of_a_call_has_the_tools_message() -> None:
    async with Toolbox([add]) as tools:
        result = await tools.call(call("functions.add", '{"a": 2, "b": 3}'))
    assert result.message == Message(
        "tool", "5", name="functions.add", channel="commentary", recipient="assistant"
    )
    assert (result.failed, result.files) == (False, ())
    assert result.seconds >= 0


async def test_a_call_is_resolved_once_and_then_run() -> None:
    async with Toolbox([add]) as tools:
        resolved = tools.resolve(call("add", '{"a": 2}'))
        assert resolved.message == call("functions.add", '{"a": 2}')
        assert (resolved.recipient, resolved.name) == ("functions.add", "functions.add")
        assert resolved.tool is tools.tools[0]
        assert not resolved.idempotent
        assert (await tools.call(resolved)).message.text == "3"


async def test_a_call_to_an_unknown_tool_resolves_to_no_tool() -> None:
    async with Toolbox([add]) as tools:
        resolved = tools.resolve(call("container.exec"))
        assert (resolved.recipient, resolved.tool) == (None, None)
        assert resolved.name == "container.exec"
        assert resolved.message == call("container.exec")
        # Nothing runs, so nothing runs twice.
        assert resolved.idempotent
        result = await tools.call(resolved)
    assert isinstance(result.error, ToolError)


async def test_a_refused_call_has_a_failed_result_in_the_channel_of_the_call() -> None:
    async with Toolbox([add]) as tools:
        result = tools.refuse(tools.resolve(call("add", channel="analysis")), "no time is left")
    assert result.message == Message(
        "tool",
        "Error: no time is left",
        name="functions.add",
        channel="analysis",
        recipient="assistant",
    )
    assert (result.failed, result.seconds, result.error) == (True, 0.0, None)


@pytest.mark.parametrize("error", [ToolError("closed"), ToolRetry("busy"), ValueError("a bug")])
async def test_the_result_has_the_exception_that_the_tool_raised(error: Exception) -> None:
    async with Toolbox([DiaryTool("diary", [], call_error=error), add]) as tools:
        result = await tools.call(call("diary"))
        assert result.failed
        assert result.error is error
        assert (await tools.call(call("functions.add", '{"a": 2}'))).error is None


def test_functions_and_namespaces_are_declared_separately() -> None:
    tools = Toolbox([add, DiaryTool("diary", [])])
    assert tools.functions == (
        ToolDescription(
            "add",
            "Add two numbers.",
            {
                "type": "object",
                "properties": {
                    "a": {"type": "integer", "description": "The first."},
                    "b": {"type": "integer", "description": "The second.", "default": 1},
                },
                "required": ["a"],
                "additionalProperties": False,
            },
        ),
    )
    assert tools.namespaces == (ToolNamespace("diary", "Keeps a diary."),)
    assert tools.recipients == ("functions.add", "diary")


async def test_tools_are_opened_and_closed_once_per_run() -> None:
    events: list[str] = []
    both = [DiaryTool("one", events), DiaryTool("two", events)]
    async with Toolbox(both) as tools:
        for text in ("a", "b"):
            message = (await tools.call(call("one", text, "analysis"))).message
            assert (message.name, message.channel) == ("one", "analysis")
    assert events == [
        "one opens",
        "two opens",
        "one gets a from one",
        "one gets b from one",
        "two closes",
        "one closes",
    ]


async def test_tools_are_closed_when_the_run_fails() -> None:
    events: list[str] = []
    with pytest.raises(ZeroDivisionError):
        async with Toolbox([DiaryTool("one", events)]):
            raise ZeroDivisionError
    assert events == ["one opens", "one closes"]


async def test_tools_are_closed_if_a_later_one_cannot_be_opened() -> None:
    events: list[str] = []
    box = Toolbox([DiaryTool("one", events), DiaryTool("two", events, ConnectionError)])
    with pytest.raises(ConnectionError, match="two"):
        await box.__aenter__()
    assert events == ["one opens", "one closes"]


async def test_many_runs_can_share_a_tool() -> None:
    events: list[str] = []
    diary = DiaryTool("one", events)
    async with Toolbox([diary]), Toolbox([diary]):
        pass
    assert events == ["one opens", "one opens", "one closes", "one closes"]


async def test_a_toolbox_runs_calls_only_while_it_is_open() -> None:
    box = Toolbox([add])
    with pytest.raises(RuntimeError, match="enter the Toolbox"):
        await box.call(call("functions.add"))
    async with box:
        pass
    with pytest.raises(RuntimeError, match="enter the Toolbox"):
        await box.call(call("functions.add"))
    with pytest.raises(RuntimeError, match="lasts for one run"):
        await box.__aenter__()


def test_two_tools_with_one_name_are_rejected() -> None:
    with pytest.raises(ToolDefinitionError, match=r"two tools have the name 'functions\.add'"):
        Toolbox([add, tool(lambda: 1, name="add")])
    with pytest.raises(ToolDefinitionError, match="two tools have the namespace 'diary'"):
        Toolbox([DiaryTool("diary", []), DiaryTool("diary", [])])


async def test_a_dead_sandbox_ends_the_run() -> None:
    def run() -> None:
        raise SandboxDiedError("gone")

    async with Toolbox([run]) as tools:
        with pytest.raises(SandboxDiedError, match="gone"):
            await tools.call(call("functions.run"))


async def test_calls_run_side_by_side() -> None:
    pinged, ponged = anyio.Event(), anyio.Event()

    async def ping() -> None:
        pinged.set()
        await ponged.wait()

    async def pong() -> None:
        ponged.set()
        await pinged.wait()

    with anyio.fail_after(10):
        async with Toolbox([ping, pong]) as tools, anyio.create_task_group() as group:
            group.start_soon(tools.call, call("functions.ping"))
            group.start_soon(tools.call, call("functions.pong"))


async def test_sequential_calls_wait_for_each_other() -> None:
    running: list[str] = []
    max_running = 0

    async def work(name: str) -> None:
        nonlocal max_running
        running.append(name)
        max_running = max(max_running, len(running))
        for _ in range(5):
            await anyio.lowlevel.checkpoint()
        running.remove(name)

    one, two = (tool(work, name=name, sequential=True) for name in ("one", "two"))
    async with Toolbox([one, two]) as tools, anyio.create_task_group() as group:
        for name in ("one", "two", "one"):
            group.start_soon(tools.call, call(f"functions.{name}", f'{{"name": "{name}"}}'))
    assert (max_running, running) == (1, [])


async def test_a_tool_is_declared_and_runs_only_while_it_is_enabled() -> None:
    @tool(enabled=lambda context: context.deps["admin"] and context.step < 3)
    def drop(table: str) -> str:
        return f"dropped {table}"

    assert Toolbox([add, drop], deps={"admin": False}).recipients == ("functions.add",)
    async with Toolbox([add, drop], deps={"admin": True}) as tools:
        assert [function.name for function in tools.functions] == ["add", "drop"]
        arguments = '{"table": "users"}'
        done = await tools.call(call("functions.drop", arguments))
        late = await tools.call(
            call("functions.drop", arguments), RunContext({"admin": True}, step=3)
        )
    assert done.message.text == "dropped users"
    assert (late.failed, late.message.text) == (
        True,
        "Error: functions.drop is not available now",
    )


async def test_errors_do_not_name_a_tool_that_is_not_available() -> None:
    hidden = tool(add, name="secret_add", enabled=lambda _: False)
    async with Toolbox([add, hidden]) as tools:
        message = (await tools.call(call("functions.secret_ad"))).message
    assert "secret_add" not in message.text


async def test_the_text_of_a_long_error_is_shortened() -> None:
    def fetch() -> None:
        raise ToolError("x" * 10_000)

    async with Toolbox([fetch], max_chars=100) as tools:
        result = await tools.call(call("functions.fetch"))
    assert len(result.message.text) < 300
    assert result.failed

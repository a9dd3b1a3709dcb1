"""Cancellation of a call, and CancelledErrors that nobody asked for."""

import asyncio
import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from ossia.harmony import Message, ToolNamespace
from ossia.tools import (
    OpenTool,
    RunContext,
    Tool,
    Toolbox,
    ToolError,
    ToolResult,
    ToolReturn,
    is_cancelled,
    tool,
)

Ask = Callable[..., Awaitable[ToolResult]]


def call(recipient: str) -> Message:
    return Message("assistant", "{}", channel="commentary", recipient=recipient)


async def raises_cancelled_error() -> None:
    raise asyncio.CancelledError


def raises_cancelled_error_in_a_thread() -> None:
    raise asyncio.CancelledError


async def awaits_a_cancelled_task() -> None:
    task = asyncio.get_running_loop().create_task(anyio.sleep_forever())
    task.cancel()
    await task


async def awaits_a_cancelled_future() -> None:
    future = asyncio.get_running_loop().create_future()
    future.cancel()
    await future


async def cancels_a_future_in_a_task_group() -> None:
    raise BaseExceptionGroup("both", [asyncio.CancelledError(), ValueError("a bug")])


async def raises_generator_exit() -> None:
    raise GeneratorExit


def raises_generator_exit_in_a_thread() -> None:
    raise GeneratorExit


async def times_out() -> None:
    async with asyncio.timeout(0):
        await anyio.sleep_forever()


FAILING: list[Callable[[], Any]] = [
    raises_cancelled_error,
    raises_cancelled_error_in_a_thread,
    awaits_a_cancelled_task,
    awaits_a_cancelled_future,
    cancels_a_future_in_a_task_group,
    raises_generator_exit,
    raises_generator_exit_in_a_thread,
    times_out,
]


@pytest.mark.parametrize("function", FAILING)
@pytest.mark.parametrize("timeout_s", [120.0, None])
async def test_a_stray_cancelled_error_or_generator_exit_is_a_failure_of_the_tool(
    function: Callable[[], Any], timeout_s: float | None
) -> None:
    def ping() -> str:
        return "pong"

    async with Toolbox([tool(function, timeout_s=timeout_s), ping]) as tools:
        result = await tools.call(call(f"functions.{function.__name__}"))
        name = f"functions.{function.__name__}"
        assert result.message.text == f"Error: {name} failed unexpectedly"
        assert result.failed
        assert result.error is not None
        assert not isinstance(result.error, ToolError)
        # The run goes on: later waits and calls work.
        await anyio.lowlevel.checkpoint()
        assert (await tools.call(call("functions.ping"))).message.text == "pong"
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_a_tool_may_use_timeouts_of_asyncio(ask: Ask) -> None:
    async def fetch() -> str:
        try:
            async with asyncio.timeout(0):
                await anyio.sleep_forever()
        except TimeoutError:
            return "too slow"
        return "done"

    assert (await ask(fetch)).message.text == "too slow"


async def test_a_stray_cancelled_error_after_a_timeout_is_still_found() -> None:
    @tool(timeout_s=0.01)
    async def wait() -> None:
        await anyio.sleep_forever()

    async with Toolbox([wait, raises_cancelled_error]) as tools:
        first = await tools.call(call("functions.wait"))
        second = await tools.call(call("functions.raises_cancelled_error"))
    assert "0.01 seconds" in first.message.text
    assert second.message.text == "Error: functions.raises_cancelled_error failed unexpectedly"


async def test_cancelling_the_scope_of_a_run_cancels_its_call() -> None:
    running = anyio.Event()

    async def wait() -> None:
        running.set()
        await anyio.sleep_forever()

    results: list[ToolResult] = []

    async def run(tools: Toolbox) -> None:
        results.append(await tools.call(call("functions.wait")))

    async with Toolbox([wait]) as tools, anyio.create_task_group() as group:
        group.start_soon(run, tools)
        with anyio.fail_after(10):
            await running.wait()
        group.cancel_scope.cancel()
    assert results == []


async def test_cancelling_the_task_of_a_run_cancels_its_call() -> None:
    running = anyio.Event()

    async def wait() -> None:
        running.set()
        await anyio.sleep_forever()

    async def run() -> ToolResult:
        async with Toolbox([wait]) as tools:
            return await tools.call(call("functions.wait"))

    task = asyncio.get_running_loop().create_task(run())
    with anyio.fail_after(10):
        await running.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_a_deadline_around_the_run_cancels_a_call_in_a_thread() -> None:
    released = anyio.Event()

    def wait() -> None:
        anyio.from_thread.run(released.wait)

    async with Toolbox([wait]) as tools:
        with anyio.move_on_after(0.1) as scope:
            await tools.call(call("functions.wait"))
        assert scope.cancelled_caught
        released.set()


async def test_a_tool_that_raises_its_own_cancelled_error_does_not_hide_a_real_one() -> None:
    async def wait() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            raise asyncio.CancelledError("from the tool")

    async with Toolbox([wait]) as tools:
        with anyio.move_on_after(0.01):
            await tools.call(call("functions.wait"))
            pytest.fail("the cancellation was lost")


@pytest.mark.parametrize("signal", [KeyboardInterrupt, SystemExit])
async def test_what_ends_the_program_passes_through_a_task_group_too(
    ask: Ask, signal: type[BaseException]
) -> None:
    async def stop() -> None:
        raise BaseExceptionGroup("both", [signal(), ValueError("a bug")])

    with pytest.raises(BaseExceptionGroup) as caught:
        await ask(stop)
    assert caught.group_contains(signal)


class Suspended:
    def __await__(self) -> Generator[None]:
        yield


class WaitTool(Tool):
    @property
    def namespace(self) -> ToolNamespace:
        return ToolNamespace("wait")

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[OpenTool]:
        yield self

    async def call(self, call: Message, context: RunContext[Any]) -> ToolReturn:
        await Suspended()
        return ToolReturn("done")


def test_closing_the_coroutine_of_a_call_closes_it() -> None:
    async def run() -> None:
        async with Toolbox([WaitTool()]) as tools:
            await tools.call(call("wait"))
        raise AssertionError("a closed coroutine must not continue")

    coroutine = run()
    coroutine.send(None)
    coroutine.close()


async def test_is_cancelled_sees_cancelled_scopes_and_tasks() -> None:
    assert not is_cancelled()
    with anyio.CancelScope() as scope:
        scope.cancel()
        assert is_cancelled()
        with anyio.CancelScope(shield=True):
            assert not is_cancelled()
            await anyio.lowlevel.checkpoint()
    assert not is_cancelled()
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    assert is_cancelled()
    with pytest.raises(asyncio.CancelledError):
        await anyio.sleep_forever()
    task.uncancel()
    assert not is_cancelled()


def test_is_cancelled_works_without_asyncio(monkeypatch: pytest.MonkeyPatch) -> None:
    # As under trio: anyio knows a deadline, and there is no loop of asyncio.
    monkeypatch.setattr("anyio.current_effective_deadline", lambda: math.inf)
    assert not is_cancelled()
    monkeypatch.setattr("anyio.current_effective_deadline", lambda: -math.inf)
    assert is_cancelled()


def test_without_an_event_loop_a_coroutine_can_only_be_closed() -> None:
    assert is_cancelled()

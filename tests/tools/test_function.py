"""Function tools: how they run and how they fail."""

import contextvars
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

from ossia.harmony import Message
from ossia.tools import RunContext, Toolbox, ToolError, ToolResult, ToolRetry, tool

Ask = Callable[..., Awaitable[ToolResult]]

place = contextvars.ContextVar("place", default="")


def call(recipient: str, arguments: str = "{}") -> Message:
    return Message("assistant", arguments, channel="commentary", recipient=recipient)


async def test_a_plain_function_runs_in_a_thread_with_the_callers_context(ask: Ask) -> None:
    seen: list[Any] = []

    def look() -> None:
        seen.extend([threading.current_thread(), place.get()])

    place.set("here")
    await ask(look)
    assert seen[0] is not threading.current_thread()
    assert seen[1] == "here"


async def test_an_async_function_runs_in_the_event_loop(ask: Ask) -> None:
    async def look() -> bool:
        await anyio.lowlevel.checkpoint()
        return threading.current_thread() is threading.main_thread()

    assert (await ask(look)).message.text == "true"


async def test_an_awaitable_that_a_plain_function_returns_is_awaited(ask: Ask) -> None:
    async def later() -> str:
        return "done"

    def start() -> Any:
        return later()

    assert (await ask(start)).message.text == "done"


async def test_an_async_function_is_cancelled_at_its_timeout(ask: Ask) -> None:
    ended: list[str] = []

    @tool(timeout_s=0.01)
    async def wait() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            ended.append("cancelled")

    result = await ask(wait)
    assert result.failed
    assert result.message.text == "Error: functions.wait timed out after 0.01 seconds"
    assert ended == ["cancelled"]


async def test_a_plain_function_continues_after_its_timeout(ask: Ask) -> None:
    release, released = threading.Event(), threading.Event()

    # Long enough for the thread to start: a thread that has not started yet never starts.
    @tool(timeout_s=0.5)
    def wait() -> None:
        release.wait()
        released.set()

    result = await ask(wait)
    assert "timed out after 0.5 seconds" in result.message.text
    assert not released.is_set()
    release.set()
    assert await anyio.to_thread.run_sync(released.wait, 10)


async def test_a_timeout_error_of_the_function_is_an_unexpected_failure(ask: Ask) -> None:
    async def fetch() -> None:
        raise TimeoutError("the server at 10.0.0.7 did not answer")

    result = await ask(fetch)
    assert result.message.text == "Error: functions.fetch failed unexpectedly"


@pytest.mark.parametrize("signal", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("threaded", [True, False])
async def test_exceptions_that_end_the_program_pass_through(
    ask: Ask, signal: type[BaseException], threaded: bool
) -> None:
    def stop() -> None:
        raise signal

    async def stop_async() -> None:
        raise signal

    with pytest.raises(signal):
        await ask(stop if threaded else stop_async)


async def test_an_unexpected_exception_is_not_shown_to_the_model(ask: Ask) -> None:
    failure = ConnectionError("no route to db.internal, password hunter2")

    def read() -> None:
        raise failure

    result = await ask(read)
    assert result.failed
    assert result.message.text == "Error: functions.read failed unexpectedly"
    assert result.error is failure


@pytest.mark.parametrize("error", [StopIteration, StopAsyncIteration])
async def test_exceptions_with_a_meaning_in_python_are_failures_of_the_tool(
    ask: Ask, error: type[Exception]
) -> None:
    def stop() -> None:
        raise error

    assert (await ask(stop)).failed


async def test_a_tool_error_in_a_task_group_is_reported_without_the_group(ask: Ask) -> None:
    async def search() -> None:
        async def fail() -> None:
            raise ToolError("the index is closed on Sundays")

        async with anyio.create_task_group() as group:
            group.start_soon(fail)

    assert (await ask(search)).message.text == "Error: the index is closed on Sundays"


async def test_a_tool_error_next_to_another_exception_is_an_unexpected_failure(ask: Ask) -> None:
    async def search() -> None:
        raise ExceptionGroup("both", [ToolError("closed"), ValueError("a bug")])

    assert "unexpectedly" in (await ask(search)).message.text


async def test_attempts_are_counted_in_a_row_and_run_out() -> None:
    @tool(retries=1)
    def pick(n: int) -> str:
        if n < 3:
            raise ToolRetry(f"{n} is too small")
        return "right"

    async with Toolbox([pick]) as tools:
        texts = [
            (await tools.call(call("functions.pick", f'{{"n": {n}}}'))).message.text
            for n in ("1", "3", '"one"', "2", "3")
        ]
    assert texts == [
        "Error: 1 is too small\nTry again. 1 attempt left.",
        "right",
        "Error: invalid arguments for functions.pick:\n"
        "- n: Input should be a valid integer, unable to parse string as an integer "
        '(given: "one")\nTry again. 1 attempt left.',
        "Error: 2 is too small\nNo attempts left. Continue without this tool.",
        "right",
    ]


async def test_each_run_counts_its_own_attempts() -> None:
    @tool(retries=0)
    def never() -> None:
        raise ToolRetry("no")

    for _ in range(2):
        async with Toolbox([never]) as tools:
            result = await tools.call(call("functions.never"))
            assert result.message.text == (
                "Error: no\nNo attempts left. Continue without this tool."
            )


async def test_strict_rejects_a_number_in_a_string(ask: Ask) -> None:
    def double(n: int) -> int:
        return 2 * n

    assert (await ask(double, '{"n": "4"}')).message.text == "8"
    assert (await ask(tool(double, strict=True), '{"n": "4"}')).failed
    assert (await ask(tool(double, strict=True), '{"n": 4}')).message.text == "8"


@pytest.mark.parametrize(
    "arguments",
    ['{"n": 4}', ' {"n": 4}\n', '```json\n{"n": 4}\n```', '"{\\"n\\": 4}"', '```\n{"n": 4}```'],
)
async def test_arguments_are_found_inside_fences_and_strings(ask: Ask, arguments: str) -> None:
    def double(n: int) -> int:
        return 2 * n

    assert (await ask(double, arguments)).message.text == "8"


@pytest.mark.parametrize("arguments", ["", "  ", "{}", "null", "```json\n```"])
async def test_an_empty_call_has_no_arguments(ask: Ask, arguments: str) -> None:
    def ping() -> str:
        return "pong"

    assert (await ask(ping, arguments)).message.text == "pong"


async def test_errors_about_invalid_arguments_are_short(ask: Ask) -> None:
    def f(items: list[int], **more: bool) -> None: ...

    truncated = await ask(f, '{"items": [1, 2')
    assert truncated.message.text == (
        "Error: invalid arguments for functions.f:\n"
        "- the arguments: Invalid JSON: EOF while parsing a list at line 1 column 15 "
        '(given: "{\\"items\\": [1, 2")\nTry again. 3 attempts left.'
    )
    wrong = await ask(f, '{"items": [' + ", ".join(['"x"'] * 500) + "]}")
    assert wrong.message.text.count("\n- items.") == 8
    assert "- and 492 more" in wrong.message.text
    long = await ask(f, '{"items": "' + 1000 * "x" + '"}')
    assert len(long.message.text) < 300


async def test_the_function_receives_the_context_of_the_call(ask: Ask) -> None:
    def where(context: RunContext[dict[str, int]]) -> str:
        return f"{context.run_id}/{context.step}: {context.deps['a']}"

    assert (await ask(where, "{}", RunContext({"a": 1}, "r", 3))).message.text == "r/3: 1"


def test_a_tool_is_called_like_its_function() -> None:
    @tool(timeout_s=1)
    def add(a: int, b: int = 1) -> int:
        return a + b

    assert add(2) == add(1, b=2) == 3

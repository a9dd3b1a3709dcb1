"""Running a user's function: async functions in the event loop, plain ones in a thread."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from anyio import to_thread

from ...errors import ToolError


async def run_function(function: Callable[[], Any], *, in_thread: bool) -> Any:
    """Call a function, and await what it returns if that is awaitable.

    in_thread: whether to call it in a thread. If this task is cancelled, the thread is left alone:
        nothing can stop it.

    A task group inside the function wraps the exceptions of its tasks. If all of them are
    ToolErrors, the first one is raised without its group.
    """
    try:
        value = await _run_in_thread(function) if in_thread else function()
        return await value if inspect.isawaitable(value) else value
    except ExceptionGroup as group:
        tool_errors, others = group.split(ToolError)
        if tool_errors is None or others is not None:
            raise
        raise _first(tool_errors) from group


async def _run_in_thread(function: Callable[[], Any]) -> Any:
    """Run a plain function in a thread.

    A GeneratorExit is raised here instead of by the thread's future: asyncio would throw it into
    the outermost coroutine of the task, which closes all the others, up to the whole run.
    """

    def run() -> tuple[Any, GeneratorExit | None]:
        try:
            return function(), None
        except GeneratorExit as error:
            return None, error

    value, error = await to_thread.run_sync(run, abandon_on_cancel=True)
    if error is not None:
        raise error
    return value


def _first(group: ExceptionGroup[ToolError]) -> ToolError:
    error: ToolError | ExceptionGroup[ToolError] = group
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error

"""How to tell a real cancellation from a stray CancelledError."""

from __future__ import annotations

import asyncio
import math
from typing import cast

import anyio


def is_cancelled() -> bool:
    """Return whether the current task has been cancelled from outside.

    Call it where a cancellation exception is caught. If it returns False, nobody cancelled this
    task: the code inside raised the exception itself, or awaited a task or future that was
    cancelled. Then it is a failure of that code like any other exception.

    A cancellation is a cancelled anyio scope around the task or, on asyncio, `Task.cancel()`.
    Without an event loop the result is True: the coroutine is being closed.
    """
    try:
        deadline = anyio.current_effective_deadline()
    except RuntimeError:  # NoEventLoopError, which older versions of anyio do not have
        return True
    return deadline == -math.inf or _task_is_cancelled()


def is_failure(error: BaseException) -> bool:
    """Return whether an exception is a failure of the code that raised it.

    A real cancellation, SystemExit and KeyboardInterrupt are not: they end the run or the program.
    """
    if isinstance(error, Exception):
        return True
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        return all(map(is_failure, group.exceptions))
    return not is_cancelled() and isinstance(
        error, (GeneratorExit, anyio.get_cancelled_exc_class())
    )


def _task_is_cancelled() -> bool:
    try:
        task = asyncio.current_task()
    except RuntimeError:  # the event loop is trio's
        return False
    return task is not None and task.cancelling() > 0

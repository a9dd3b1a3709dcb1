"""Tasks that run beside a block and end with it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from math import inf
from typing import Any

import anyio
from anyio.abc import TaskGroup


class Background:
    """Starts tasks beside a block; the first one that fails cancels the block and the others."""

    def __init__(self, group: TaskGroup) -> None:
        self._group = group
        self.failure: BaseException | None = None

    def start(self, work: Callable[..., Awaitable[None]], *args: Any) -> None:
        """Start a task."""
        self._group.start_soon(partial(self._run, work, *args))

    def fail(self, error: BaseException) -> None:
        """End the block and all tasks with an error."""
        self.failure = self.failure or error
        self._group.cancel_scope.cancel()

    async def _run(self, work: Callable[..., Awaitable[None]], *args: Any) -> None:
        try:
            await work(*args)
        except anyio.get_cancelled_exc_class() as error:
            if anyio.current_effective_deadline() == -inf:
                raise
            # Something in the task cancelled it, or raised this itself. The task group would
            # ignore that, and the work would be missing without an error.
            self.fail(error)
        except BaseException as error:  # noqa: BLE001 - raised where the block ends
            self.fail(error)


@asynccontextmanager
async def run_in_background() -> AsyncGenerator[Background]:
    """Run tasks beside a block, and cancel them when it ends.

    Raises what the block or a task raises, as it is and not in a group.
    """
    group = anyio.create_task_group()
    background = Background(group)
    async with group:
        try:
            yield background
        except (Exception, GeneratorExit, KeyboardInterrupt, SystemExit) as error:  # noqa: BLE001
            background.fail(error)
        group.cancel_scope.cancel()
    if background.failure is not None:
        raise background.failure

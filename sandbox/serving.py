"""Work that is served by something of its own while it lasts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import anyio
from anyio.abc import TaskGroup

T = TypeVar("T")


async def while_serving(
    serve: Callable[[TaskGroup], Coroutine[Any, Any, None]], work: Callable[[], Awaitable[T]]
) -> T:
    """Do the work, and serve as long as it takes; all that serves ends with it.

    serve: is given the group that its connections belong to.

    Raises what the work raises, as it is: no group wraps it.
    """
    outcome: list[T] = []
    failure: Exception | None = None
    async with anyio.create_task_group() as group:
        group.start_soon(serve, group)
        try:
            outcome.append(await work())
        except Exception as error:  # noqa: BLE001 - raised below, where no group wraps it
            failure = error
        group.cancel_scope.cancel()
    if failure is not None:
        raise failure
    return outcome[0]

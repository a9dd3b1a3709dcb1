"""Serving the code inside, through a socket file, while its work lasts."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
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


def bind_inside(listener: socket.socket, path: Path, *, most: int) -> None:
    """Listen at a socket file that a sandbox sees; another user runs there.

    The file lets everybody in, and its folder only those who know its name.

    most: how many connections may wait to be accepted.

    Raises OSError where there can be no such file.
    """
    path.parent.chmod(0o711)
    listener.bind(str(path))
    path.chmod(0o666)
    listener.listen(most)
    listener.setblocking(False)

"""Servers for sandboxed code that run only while some work runs."""

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
    """Run `work`, and `serve` until the work ends.

    serve: takes the task group for its connections, which end with the work.

    Raises what the work raises, not wrapped in an exception group.
    """
    outcome: list[T] = []
    failure: Exception | None = None
    async with anyio.create_task_group() as group:
        group.start_soon(serve, group)
        try:
            outcome.append(await work())
        except Exception as error:  # noqa: BLE001 - raised below, outside the task group
            failure = error
        group.cancel_scope.cancel()
    if failure is not None:
        raise failure
    return outcome[0]


def listen_for_sandbox(listener: socket.socket, path: Path, *, backlog: int) -> None:
    """Listen on a socket file for a sandbox, which runs as another user.

    Everyone may connect to the file, but its folder cannot be listed by others.

    backlog: maximum number of connections that wait to be accepted.

    Raises OSError if the file cannot be created.
    """
    path.parent.chmod(0o711)
    listener.bind(str(path))
    path.chmod(0o666)
    listener.listen(backlog)
    listener.setblocking(False)

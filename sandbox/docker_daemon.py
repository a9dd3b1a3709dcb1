"""A connection to the user's Docker daemon, which is found as the `docker` command finds it.

The Docker SDK is imported on first use: it takes longer to load than the rest of ossia.sandbox.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from anyio import to_thread

from ..errors import SandboxUnavailableError

if TYPE_CHECKING:
    import docker

REQUEST_S = 30
"""Time limit of one request to the daemon, in seconds."""

_DEFAULT_URL = "unix:///var/run/docker.sock"

_T = TypeVar("_T")


async def run_blocking(function: Callable[[], _T]) -> _T:
    """Run one blocking call of the SDK in a thread.

    A cancelled call is not abandoned, so that what it creates can be removed again.
    The client's own time limit (`REQUEST_S`) ends it.
    """
    return await to_thread.run_sync(function)


async def connect() -> docker.DockerClient:
    """Return a client of the daemon in DOCKER_HOST, or of the current context.

    Raises SandboxUnavailableError if no daemon answers.
    """
    return await run_blocking(_connect)


def daemon_errors() -> tuple[type[Exception], ...]:
    """Return the exceptions that the SDK raises if the daemon refuses or does not answer."""
    from docker.errors import DockerException
    from requests.exceptions import RequestException

    return DockerException, RequestException


def is_local(client: docker.DockerClient) -> bool:
    """Return whether the daemon has a socket file, and so can see this machine's files."""
    return client.api.base_url.startswith(("http+docker", "http+unix"))


def _connect() -> docker.DockerClient:
    import docker

    errors: tuple[type[Exception], ...] = (*daemon_errors(), OSError)
    place = "the default socket"
    try:
        if not os.environ.get("DOCKER_HOST"):
            context = _current_context()
            if context is not None:
                place = f"the context {context.Name!r} ({context.Host})"
                tls = context.TLSConfig or False
                return _ping(docker.DockerClient(context.Host, tls=tls, timeout=REQUEST_S))
        else:
            place = f"DOCKER_HOST={os.environ['DOCKER_HOST']}"
        _check_socket_file(os.environ.get("DOCKER_HOST") or _DEFAULT_URL)
        return _ping(docker.from_env(timeout=REQUEST_S))
    except errors as error:
        raise SandboxUnavailableError(
            f"no Docker daemon answers at {place} ({_short_reason(error)}). Start it (`dockerd &` "
            "or `systemctl start docker`), set DOCKER_HOST to another daemon, or use bubblewrap"
        ) from error


def _check_socket_file(url: str) -> None:
    """Connect to a socket file first: if this fails, the SDK would leak its own socket."""
    path = url.removeprefix("unix://")
    if path != url:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(REQUEST_S)
            sock.connect(path)


def _ping(client: docker.DockerClient) -> docker.DockerClient:
    try:
        client.ping()
    except BaseException:
        client.close()
        raise
    return client


def _current_context() -> Any:
    """Return the current Docker context, or None for the default one."""
    from docker.context import ContextAPI

    name = os.environ.get("DOCKER_CONTEXT")
    context: Any = ContextAPI.get_context(name) if name else ContextAPI.get_current_context()
    if name and context is None:
        raise SandboxUnavailableError(
            f"DOCKER_CONTEXT names {name!r}, but no such context exists; see `docker context ls`"
        )
    return None if context is None or context.Name == "default" else context


def _short_reason(error: Exception) -> str:
    text = str(error)
    for known in ("Permission denied", "No such file or directory", "Connection refused"):
        if known in text:
            return known.lower()
    return text[:200]

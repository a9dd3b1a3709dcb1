"""The Docker daemon that this user talks to: found as the `docker` command finds it."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import Any, TypeVar

import docker
from anyio import to_thread
from docker.context import ContextAPI
from docker.errors import DockerException
from requests.exceptions import RequestException

from ..errors import SandboxUnavailableError

CALL_S = 30
"""Seconds that one call to the daemon may take."""

_DEFAULT = "unix:///var/run/docker.sock"

_T = TypeVar("_T")


async def call(function: Callable[[], _T]) -> _T:
    """Run one blocking call of the SDK in a thread.

    It is not abandoned when cancelled, so that what it makes can be removed again;
    the client's own time limit (`CALL_S`) ends it.
    """
    return await to_thread.run_sync(function)


async def connect() -> docker.DockerClient:
    """Return a client of the daemon in DOCKER_HOST, or of the current context.

    Raises SandboxUnavailableError where no daemon answers.
    """
    return await call(_connect)


def _connect() -> docker.DockerClient:
    where = "the default socket"
    try:
        if not os.environ.get("DOCKER_HOST"):
            context = _context()
            if context is not None:
                where = f"the context {context.Name!r} ({context.Host})"
                tls = context.TLSConfig or False
                return _pinged(docker.DockerClient(context.Host, tls=tls, timeout=CALL_S))
        else:
            where = f"DOCKER_HOST={os.environ['DOCKER_HOST']}"
        _knock(os.environ.get("DOCKER_HOST") or _DEFAULT)
        return _pinged(docker.from_env(timeout=CALL_S))
    except (DockerException, RequestException, OSError) as error:
        raise SandboxUnavailableError(
            f"no Docker daemon answers at {where} ({_reason(error)}). Start it (`dockerd &` or "
            "`systemctl start docker`), name another in DOCKER_HOST, or use bubblewrap"
        ) from error


def _knock(url: str) -> None:
    """Try a socket file first: the SDK leaves its own socket open where it cannot connect."""
    path = url.removeprefix("unix://")
    if path != url:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(CALL_S)
            sock.connect(path)


def _pinged(client: docker.DockerClient) -> docker.DockerClient:
    try:
        client.ping()
    except BaseException:
        client.close()
        raise
    return client


def is_local(client: docker.DockerClient) -> bool:
    """True for a daemon behind a socket file: it sees this machine's files."""
    return client.api.base_url.startswith(("http+docker", "http+unix"))


def _context() -> Any:
    """Return the context in force, or None for the default one."""
    name = os.environ.get("DOCKER_CONTEXT")
    context: Any = ContextAPI.get_context(name) if name else ContextAPI.get_current_context()
    if name and context is None:
        raise SandboxUnavailableError(
            f"DOCKER_CONTEXT names {name!r}, and there is no such context; see `docker context ls`"
        )
    return None if context is None or context.Name == "default" else context


def _reason(error: Exception) -> str:
    text = str(error)
    for known in ("Permission denied", "No such file or directory", "Connection refused"):
        if known in text:
            return known.lower()
    return text[:200]

"""Removal of the containers and folders of dead owners."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import SandboxUnavailableError
from ..docker_daemon import connect, daemon_errors, run_blocking
from .ownership import (
    SANDBOX_LABEL,
    abandoned_folders,
    cache_folder,
    is_abandoned,
    temporary_folder,
)

if TYPE_CHECKING:
    import docker


async def prune() -> list[str]:
    """Remove the containers and folders of dead owners; return their names.

    Containers of living processes stay. On a shared daemon, so do containers that another
    machine started less than a day ago. The daemon may still be creating a container for an
    owner that was just killed. Such a container never starts, and the next call removes it, as
    does the start of the next sandbox. Without a daemon, only folders are removed.
    """
    removed = await run_blocking(_prune_folders)
    try:
        client = await connect()
    except SandboxUnavailableError:
        return removed
    try:
        return removed + await run_blocking(lambda: remove_abandoned(client))
    finally:
        client.close()


def remove_abandoned(client: docker.DockerClient) -> list[str]:
    """Remove the daemon's containers whose owners are dead; return their names."""
    api: Any = client.api
    removed: list[str] = []
    try:
        containers = api.containers(all=True, filters={"label": SANDBOX_LABEL})
    except daemon_errors():
        return removed
    for container in containers:
        if is_abandoned(container["Labels"]):
            # Another process may be removing it too.
            with contextlib.suppress(*daemon_errors()):
                api.remove_container(container["Id"], force=True)
                removed.append(container["Names"][0].lstrip("/"))
    return removed


def _prune_folders() -> list[str]:
    parents = (temporary_folder(), cache_folder())
    return remove_folders([folder for parent in parents for folder in abandoned_folders(parent)])


def remove_folders(folders: list[Path]) -> list[str]:
    """Remove folders; return their paths."""
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    return [str(folder) for folder in folders]

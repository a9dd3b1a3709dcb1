"""What nobody needs any more: what killed owners left, and images of older recipes."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path
from typing import Any

import docker
from docker.errors import DockerException
from requests.exceptions import RequestException

from ...errors import SandboxUnavailableError
from ..docker_daemon import call, connect
from .ownership import LABEL, abandoned_folders, cache_folder, is_abandoned, temporary


async def prune() -> list[str]:
    """Remove the containers and folders of dead owners; return their names.

    What belongs to a living process of this machine stays; so does what another machine
    started on a shared daemon, until its day is over. A container that the daemon is still making
    for an owner killed just now is not there yet: it never starts, and the next call finds it, as
    the next sandbox's start does. Without a daemon, only folders are looked at.
    """
    removed = await call(_prune_folders)
    try:
        client = await connect()
    except SandboxUnavailableError:
        return removed
    try:
        return removed + await call(lambda: remove_abandoned(client))
    finally:
        client.close()


def remove_abandoned(client: docker.DockerClient) -> list[str]:
    """Remove a daemon's containers whose owners are dead; return their names."""
    api: Any = client.api
    removed: list[str] = []
    try:
        found = api.containers(all=True, filters={"label": LABEL})
    except (DockerException, RequestException):
        return removed
    for container in found:
        if is_abandoned(container["Labels"]):
            # Another process may be removing it too.
            with contextlib.suppress(DockerException, RequestException):
                api.remove_container(container["Id"], force=True)
                removed.append(container["Names"][0].lstrip("/"))
    return removed


def _prune_folders() -> list[str]:
    places = (temporary(), cache_folder())
    return remove_folders([folder for place in places for folder in abandoned_folders(place)])


def remove_folders(folders: list[Path]) -> list[str]:
    """Remove folders; return their paths."""
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    return [str(folder) for folder in folders]

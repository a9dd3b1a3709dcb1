"""What the dead left behind: containers and folders whose owners were killed."""

from __future__ import annotations

import contextlib
import shutil
from typing import Any

import docker
from docker.errors import DockerException
from requests.exceptions import RequestException

from ..errors import SandboxUnavailableError
from .daemon import call, connect
from .owner import LABEL, abandoned_folders, is_abandoned


async def prune() -> list[str]:
    """Remove the containers and temporary folders of dead owners; return their names.

    What belongs to a living process of this machine stays; so does what another machine
    started on a shared daemon, until its day is over. Without a daemon, only folders are looked at.
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
    folders = abandoned_folders()
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    return [str(folder) for folder in folders]

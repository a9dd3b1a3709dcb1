"""What nobody needs any more: what killed owners left, and images of older recipes."""

from __future__ import annotations

import contextlib
import shutil
import time
from pathlib import Path
from typing import Any

import docker
from docker.errors import DockerException
from requests.exceptions import RequestException

from ..errors import SandboxUnavailableError
from . import debian
from .daemon import call, connect
from .image import image_tag
from .owner import LABEL, LIFE_S, abandoned_folders, is_abandoned, temporary


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


async def prune_images(*, older_than_s: float = LIFE_S) -> list[str]:
    """Remove the images and trees of other recipes than this version's; return their names.

    Those in which a sandbox runs stay, and those that another checkout may have made just now.
    Without a daemon, only trees are looked at.
    """
    before_s = time.time() - older_than_s
    removed = await call(lambda: _remove_folders(debian.outdated_trees(before_s)))
    try:
        client = await connect()
    except SandboxUnavailableError:
        return removed
    try:
        return removed + await call(lambda: _remove_images(client, before_s))
    finally:
        client.close()


def _remove_images(client: docker.DockerClient, before_s: float) -> list[str]:
    api: Any = client.api
    current = image_tag()
    removed: list[str] = []
    try:
        found = api.images(name=current.partition(":")[0])
    except (DockerException, RequestException):
        return removed
    old = [image["RepoTags"] or () for image in found if image["Created"] <= before_s]
    for tag in sorted({tag for tags in old for tag in tags} - {current}):
        # The daemon keeps what a container was made from.
        with contextlib.suppress(DockerException, RequestException):
            api.remove_image(tag)
            removed.append(tag)
    return removed


def _prune_folders() -> list[str]:
    places = (temporary(), debian.tree_path().parent)
    return _remove_folders([folder for place in places for folder in abandoned_folders(place)])


def _remove_folders(folders: list[Path]) -> list[str]:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    return [str(folder) for folder in folders]

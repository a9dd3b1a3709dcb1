"""Removal of the images and trees of older recipes."""

from __future__ import annotations

import contextlib
import time
from typing import Any

import docker
from docker.errors import DockerException
from requests.exceptions import RequestException

from ...errors import SandboxUnavailableError
from ..cleanup import LIFE_S, remove_folders
from ..docker_daemon import call, connect
from . import debian
from .image import image_tag


async def prune_images(*, older_than_s: float = LIFE_S) -> list[str]:
    """Remove the images and trees of other recipes than this version's; return their names.

    Those in which a sandbox runs stay, and those that another checkout may have made just now.
    Without a daemon, only trees are looked at.
    """
    before_s = time.time() - older_than_s
    removed = await call(lambda: remove_folders(debian.outdated_trees(before_s)))
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

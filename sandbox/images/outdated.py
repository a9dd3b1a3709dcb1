"""Removal of the images and trees of older recipes."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

from ...errors import SandboxUnavailableError
from ..cleanup import MAX_AGE_S, remove_folders
from ..docker_daemon import connect, daemon_errors, run_blocking
from . import debian
from .image import image_tag

if TYPE_CHECKING:
    import docker


async def prune_images(*, older_than_s: float = MAX_AGE_S) -> list[str]:
    """Remove the images and trees of other versions' recipes; return their names.

    Those that a sandbox uses stay, and so do recent ones, which another checkout may use.
    Without a daemon, only trees are removed.
    """
    before_s = time.time() - older_than_s
    removed = await run_blocking(lambda: remove_folders(debian.outdated_trees(before_s)))
    try:
        client = await connect()
    except SandboxUnavailableError:
        return removed
    try:
        return removed + await run_blocking(lambda: _remove_images(client, before_s))
    finally:
        client.close()


def _remove_images(client: docker.DockerClient, before_s: float) -> list[str]:
    api: Any = client.api
    current = image_tag()
    removed: list[str] = []
    try:
        images = api.images(name=current.partition(":")[0])
    except daemon_errors():
        return removed
    old = [image["RepoTags"] or () for image in images if image["Created"] <= before_s]
    for tag in sorted({tag for tags in old for tag in tags} - {current}):
        # The daemon refuses to remove an image that a container uses.
        with contextlib.suppress(*daemon_errors()):
            api.remove_image(tag)
            removed.append(tag)
    return removed

"""The sandbox image: named by a hash of its recipe, made by whichever recipe works here."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Callable
from hashlib import sha256
from importlib import resources
from pathlib import Path
from typing import IO, Any, Literal, cast

import docker
from docker.errors import BuildError, DockerException, ImageNotFound
from requests.exceptions import RequestException

from ...errors import SandboxImageError
from ..docker_daemon import call, connect
from . import debian

Progress = Callable[[str], None]
"""Called, from another thread, with one line about each step."""
Recipe = Literal["auto", "debian", "dockerfile"]

_BUILD_S = 1800


def _quiet(line: str, /) -> None:
    """Tell nobody."""
    del line


def image_tag() -> str:
    """Return the image's name: it changes with the recipes, so that no old one is used."""
    recipes = _dockerfile() + debian.recipe_hash()
    return f"ossia-sandbox:{sha256(recipes.encode()).hexdigest()[:12]}"


async def build_image(progress: Progress = _quiet, *, recipe: Recipe = "auto") -> str:
    """Make the image, unless the daemon has it; return its tag.

    progress: called with one line about each step, from a worker thread.
    recipe: `debian` uses Debian's packages alone, and leaves its tree for bubblewrap too;
        `dockerfile` needs an image registry; `auto` is `debian` where apt is, else `dockerfile`.

    Raises SandboxImageError where a step fails, SandboxUnavailableError without a daemon.
    """
    client = await connect()
    try:
        return await call(lambda: _build(client, progress, recipe))
    finally:
        client.close()


async def build_tree(progress: Progress = _quiet) -> str:
    """Make the system that bubblewrap's sandboxes see, unless it is there; return its folder.

    Raises SandboxImageError where a step fails.
    """
    return str(await call(lambda: debian.build_tree(progress)))


def _build(client: docker.DockerClient, progress: Progress, recipe: Recipe) -> str:
    tag = image_tag()
    try:
        client.images.get(tag)
    except ImageNotFound:
        pass
    else:
        progress(f"{tag} is there")
        return tag
    try:
        if recipe == "debian" or (recipe == "auto" and debian.is_possible()):
            _import_tree(client, tag, progress)
        else:
            _build_dockerfile(client, tag, progress)
    except (DockerException, RequestException, OSError) as error:
        raise SandboxImageError(f"the image {tag} was not made: {error}") from error
    progress(f"{tag} is ready")
    return tag


def _import_tree(client: docker.DockerClient, tag: str, progress: Progress) -> None:
    tree = debian.build_tree(progress)
    progress("handing the tree to Docker")
    name, _, version = tag.partition(":")
    command: list[str | Path] = [
        "tar",
        "-c",
        "-C",
        tree,
        "--owner=0",
        "--group=0",
        "--numeric-owner",
        ".",
    ]
    client.api.timeout = _BUILD_S
    with subprocess.Popen(command, stdout=subprocess.PIPE) as archive:
        api: Any = client.api
        said: str = api.import_image_from_stream(
            cast("IO[bytes]", archive.stdout), repository=name, tag=version
        )
    if archive.returncode or '"error"' in said:
        raise SandboxImageError(f"Docker did not import the tree: {said[-500:]}")


def _build_dockerfile(client: docker.DockerClient, tag: str, progress: Progress) -> None:
    progress("building the Dockerfile")
    try:
        client.api.timeout = _BUILD_S
        client.images.build(fileobj=io.BytesIO(_dockerfile().encode()), tag=tag, rm=True)
    except BuildError as error:
        raise SandboxImageError(
            f"the Dockerfile was not built: {error}. Where no image registry can be reached, "
            "Debian's packages serve: `ossia sandbox build --recipe debian`"
        ) from error


def _dockerfile() -> str:
    return resources.files("ossia.sandbox.images").joinpath("Dockerfile").read_text("utf-8")

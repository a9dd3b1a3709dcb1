"""The sandbox image: its tag contains a hash of the recipes, so an old image is never used."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Callable
from hashlib import sha256
from importlib import resources
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, cast

from ...errors import SandboxImageError
from ..docker_daemon import connect, daemon_errors, run_blocking
from . import debian

if TYPE_CHECKING:
    import docker

Progress = Callable[[str], None]
"""Called from a worker thread with one line about each step."""
Recipe = Literal["auto", "debian", "dockerfile"]

_BUILD_S = 1800


def _ignore_progress(line: str, /) -> None:
    """Show nothing."""
    del line


def image_tag() -> str:
    """Return the image's name and tag, which change with the recipes."""
    recipes = _dockerfile() + debian.recipe_hash()
    return f"ossia-sandbox:{sha256(recipes.encode()).hexdigest()[:12]}"


async def build_image(progress: Progress = _ignore_progress, *, recipe: Recipe = "auto") -> str:
    """Build the image unless the daemon has it; return its tag.

    progress: called from a worker thread with one line about each step.
    recipe: `debian` needs only Debian packages, and its tree also serves bubblewrap;
        `dockerfile` needs an image registry; `auto` is `debian` if apt exists, else `dockerfile`.

    Raises SandboxImageError if a step fails, SandboxUnavailableError without a daemon.
    """
    client = await connect()
    try:
        return await run_blocking(lambda: _build(client, progress, recipe))
    finally:
        client.close()


async def build_tree(progress: Progress = _ignore_progress) -> str:
    """Build the system tree of bubblewrap sandboxes unless it exists; return its folder.

    Raises SandboxImageError if a step fails.
    """
    return str(await run_blocking(lambda: debian.build_tree(progress)))


def _build(client: docker.DockerClient, progress: Progress, recipe: Recipe) -> str:
    from docker.errors import ImageNotFound

    errors: tuple[type[Exception], ...] = (*daemon_errors(), OSError)
    tag = image_tag()
    try:
        client.images.get(tag)
    except ImageNotFound:
        pass
    else:
        progress(f"{tag} already exists")
        return tag
    try:
        if recipe == "debian" or (recipe == "auto" and debian.is_possible()):
            _import_tree(client, tag, progress)
        else:
            _build_dockerfile(client, tag, progress)
    except errors as error:
        raise SandboxImageError(f"cannot build the image {tag}: {error}") from error
    progress(f"{tag} is ready")
    return tag


def _import_tree(client: docker.DockerClient, tag: str, progress: Progress) -> None:
    tree = debian.build_tree(progress)
    progress("importing the tree into Docker")
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
        response: str = api.import_image_from_stream(
            cast("IO[bytes]", archive.stdout), repository=name, tag=version
        )
    if archive.returncode or '"error"' in response:
        raise SandboxImageError(f"Docker did not import the tree: {response[-500:]}")


def _build_dockerfile(client: docker.DockerClient, tag: str, progress: Progress) -> None:
    from docker.errors import BuildError

    progress("building the Dockerfile")
    try:
        client.api.timeout = _BUILD_S
        client.images.build(fileobj=io.BytesIO(_dockerfile().encode()), tag=tag, rm=True)
    except BuildError as error:
        raise SandboxImageError(
            f"cannot build the Dockerfile: {error}. Without access to an image registry, "
            "use Debian packages: `ossia sandbox build --recipe debian`"
        ) from error


def _dockerfile() -> str:
    return resources.files("ossia.sandbox.images").joinpath("Dockerfile").read_text("utf-8")

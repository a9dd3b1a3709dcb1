"""The image: its tag depends on its recipe, and it is built once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ossia.errors import SandboxImageError
from ossia.sandbox import build_image, build_tree, image_tag
from ossia.sandbox.images import debian


def test_the_tag_changes_with_every_part_of_the_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    tags = {image_tag()}
    assert re.fullmatch(r"ossia-sandbox:[0-9a-f]{12}", image_tag())
    for part, value in (
        ("PACKAGES", (*debian.PACKAGES, "python3-yaml")),
        ("EXCLUDED_PACKAGES", "nothing"),
        ("RECIPE_VERSION", debian.RECIPE_VERSION + 1),
    ):
        with monkeypatch.context() as patched:
            patched.setattr(debian, part, value)
            tags.add(image_tag())
    assert len(tags) == 4


@pytest.mark.docker
async def test_an_existing_image_is_not_built_again(image: str) -> None:
    progress: list[str] = []
    assert await build_image(progress.append) == image == image_tag()
    assert progress == [f"{image} already exists"]


async def test_a_machine_without_apt_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(debian, "tree_path", lambda: tmp_path / "cache" / "tree")
    assert not debian.is_possible()
    with pytest.raises(SandboxImageError, match="needs apt-get, dpkg-deb, tar"):
        await build_tree()
    assert not (tmp_path / "cache").exists()


async def test_the_output_of_a_failed_apt_is_in_the_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, text in (("apt-get", "echo 'E: no such mirror' >&2; exit 100"), ("dpkg-deb", ":")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(debian, "tree_path", lambda: tmp_path / "cache" / "tree")
    with pytest.raises(SandboxImageError, match="no such mirror"):
        await build_tree()
    assert list((tmp_path / "cache").iterdir()) == []

"""The listed packages, the wheel and the source distribution match the repository."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.house.sources import FOLDERS, ROOT, sources


def tracked() -> list[Path]:
    """Return the project's files: tracked by git, or new and not ignored."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.check_output(command, cwd=ROOT, text=True).split("\0")
    return [Path(name) for name in listed if name and (ROOT / name).is_file()]


def build(kind: str, tree: Path, out: Path) -> Path:
    """Build a `wheel` or an `sdist` by calling the build backend, which needs no network."""
    code = f"import sys\nfrom setuptools import build_meta\nbuild_meta.build_{kind}(sys.argv[1])"
    command = [sys.executable, "-c", code, str(out)]
    process = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    (archive,) = out.iterdir()
    return archive


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the source distribution from a copy of the repository, and unpack it."""
    copy, out, unpacked = (tmp_path_factory.mktemp(name) for name in ("copy", "sdist", "unpacked"))
    for path in tracked():
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, copy / path, follow_symlinks=False)
    with tarfile.open(build("sdist", copy, out)) as archive:
        archive.extractall(unpacked, filter="data")
    (folder,) = unpacked.iterdir()
    return folder


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from the source distribution, as an installer does."""
    return build("wheel", sdist, tmp_path_factory.mktemp("wheel"))


def test_every_package_is_listed() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    assert sorted(listed) == sorted({source.package for source in sources().values()})


def test_the_source_distribution_contains_everything_needed_to_test_it(sdist: Path) -> None:
    wanted = {path for path in tracked() if path.parts[0] in {*FOLDERS, "tests", "examples"}}
    wanted |= {path for path in tracked() if path.parts[0] in {".setup", ".ci", ".github"}}
    wanted |= {path for path in tracked() if len(path.parts) == 1 and path.name != ".gitignore"}
    assert {str(path) for path in wanted if not (sdist / path).exists()} == set()


def test_the_wheel_contains_exactly_the_package(wheel: Path) -> None:
    ours = {path for path in tracked() if path.parts[0] in FOLDERS}
    ours |= {Path(name) for name in ("__init__.py", "errors.py", "py.typed")}
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert names == {f"ossia/{path}" for path in ours}


def test_the_wheel_works_without_the_repository(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
        metadata = {name.rpartition("/")[2] for name in archive.namelist() if ".dist-info/" in name}
    assert {"LICENSE", "entry_points.txt"} <= metadata
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import ossia, ossia.agent.cli, ossia.harmony as harmony\n"
        "print(ossia.__file__, harmony.decode(harmony.encode('héllo')))"
    )
    command = [sys.executable, "-I", "-c", code, str(tmp_path)]
    printed = subprocess.check_output(command, cwd=tmp_path, text=True).split()
    assert printed == [str(tmp_path / "ossia" / "__init__.py"), "héllo"]

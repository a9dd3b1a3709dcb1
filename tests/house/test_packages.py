"""What is shipped: the packages listed, the wheel and the source distribution match the tree."""

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
    """The files that belong to the project, committed or about to be."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.check_output(command, cwd=ROOT, text=True).split("\0")
    return [Path(name) for name in listed if name and (ROOT / name).is_file()]


def build(kind: str, tree: Path, out: Path) -> Path:
    """Build a `wheel` or an `sdist` with the backend itself, so that nothing is fetched."""
    code = f"import sys\nfrom setuptools import build_meta\nbuild_meta.build_{kind}(sys.argv[1])"
    command = [sys.executable, "-c", code, str(out)]
    done = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (made,) = out.iterdir()
    return made


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source distribution of a copy of this tree, unpacked."""
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
    """The wheel, built from the source distribution as an installer would."""
    return build("wheel", sdist, tmp_path_factory.mktemp("wheel"))


def test_every_package_is_listed() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    assert sorted(listed) == sorted({source.package for source in sources().values()})


def test_the_source_distribution_holds_what_it_takes_to_test_it(sdist: Path) -> None:
    wanted = {path for path in tracked() if path.parts[0] in {*FOLDERS, "tests", "examples"}}
    wanted |= {Path(name) for name in ("LICENSE", "README.md", "pyproject.toml", "errors.py")}
    assert {str(path) for path in wanted if not (sdist / path).exists()} == set()


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    ours = {path for path in tracked() if path.parts[0] in FOLDERS}
    ours |= {Path(name) for name in ("__init__.py", "errors.py", "py.typed")}
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert names == {f"ossia/{path}" for path in ours}


def test_the_wheel_works_without_the_tree(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
        facts = {name.rpartition("/")[2] for name in archive.namelist() if ".dist-info/" in name}
    assert {"LICENSE", "entry_points.txt"} <= facts
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import ossia, ossia.agent.cli, ossia.harmony as harmony\n"
        "print(ossia.__file__, harmony.decode(harmony.encode('héllo')))"
    )
    command = [sys.executable, "-I", "-c", code, str(tmp_path)]
    said = subprocess.check_output(command, cwd=tmp_path, text=True).split()
    assert said == [str(tmp_path / "ossia" / "__init__.py"), "héllo"]

"""A sandbox's system from Debian's packages alone: fetched by apt, unpacked into a folder.

No package's scripts are run, so no root is needed, and a minute is enough. What the
scripts would have done that matters here is done in `_finish`.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ...errors import SandboxImageError
from ..cleanup import cache_folder, own_folder

Progress = Callable[[str], None]

PACKAGES = (
    "base-files", "base-passwd", "bash", "ca-certificates", "coreutils", "dash", "findutils",
    "grep", "gzip", "procps", "sed", "tar", "unzip",
    "python3", "python3-ipython", "python3-matplotlib", "python3-numpy", "python3-openpyxl",
    "python3-pandas", "python3-pil", "python3-requests", "python3-scipy", "python3-sympy",
)  # fmt: skip
LEFT_OUT = (
    r".*-dev|gcc|gcc-\d+|g\+\+.*|cpp.*|binutils.*|libbinutils|libgcc-\d+.*|libstdc\+\+-\d+.*"
    r"|lib[alt]san\d|libubsan\d|python3-(tk|pythran|pil\.imagetk)|blt|tk.*|libt(cl|k)\d.*|x11-.*"
    r"|libx(ft|ss|render|ext|11-).*|libjs-.*|perl.*|libperl.*|unicode-data|usrmerge|debconf|dpkg"
)
"""Packages that Debian's depend on to be built against or configured, not to be used."""
NOT_UNPACKED = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info")
EDITION = 2
"""Raised where the recipe changes in a way that the names above do not show."""


def is_possible() -> bool:
    """True where this machine has what the recipe needs."""
    return not _missing()


def _missing() -> list[str]:
    return [tool for tool in ("apt-get", "dpkg-deb", "tar") if shutil.which(tool) is None]


def tree_path() -> Path:
    """Return the folder where this recipe's tree lies, or would lie."""
    return cache_folder() / f"sandbox-{recipe_hash()}"


def recipe_hash() -> str:
    """Return what names this recipe: it changes with every part of it."""
    from hashlib import sha256

    parts = (EDITION, PACKAGES, LEFT_OUT, NOT_UNPACKED)
    return sha256(repr(parts).encode()).hexdigest()[:12]


def build_tree(progress: Progress) -> Path:
    """Make the tree, unless it is there; return its folder. Blocks for a minute or so.

    Raises SandboxImageError where apt is missing, or fails; its own words are in the text.
    """
    tree = tree_path()
    if tree.is_dir():
        return tree
    missing = _missing()
    if missing:
        raise SandboxImageError(
            f"the Debian recipe needs {', '.join(missing)}; without them use the Dockerfile"
        )
    tree.parent.mkdir(parents=True, exist_ok=True)
    work = own_folder("building", tree.parent)
    try:
        work.chmod(0o755)
        root = work / "root"
        debs = _fetch(work, progress)
        _unpack(debs, root, progress)
        _finish(root, progress)
        try:
            root.rename(tree)
        except OSError:
            # Another process made it meanwhile.
            if not tree.is_dir():
                raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return tree


def outdated_trees(before_s: float) -> list[Path]:
    """Return the trees of other recipes that were made before, and in which no sandbox runs."""
    current = tree_path()
    others = [
        path
        for path in current.parent.glob("sandbox-*")
        if path != current and path.stat().st_mtime <= before_s
    ]
    mounts = [_mounts(process) for process in Path("/proc").glob("[0-9]*")] if others else []
    return [tree for tree in others if not any(f"/{tree.name} " in text for text in mounts)]


def _mounts(process: Path) -> str:
    try:
        return (process / "mountinfo").read_text()
    except OSError:
        return ""


def _fetch(work: Path, progress: Progress) -> list[Path]:
    debs = work / "debs"
    for below in ("lists/partial", "cache/archives/partial", "debs"):
        (work / below).mkdir(parents=True)
    (work / "status").touch()
    (work / "sources.list").write_text(_sources())
    # A state of our own, the host's configuration: mirrors, proxies and keys are the host's.
    options = {
        "Dir::Etc::SourceList": work / "sources.list",
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::State::Lists": work / "lists",
        "Dir::State::status": work / "status",
        "Dir::Cache": work / "cache",
        "APT::Install-Recommends": "false",
        "APT::Update::Post-Invoke-Success::": "",
    }
    if os.geteuid() == 0:
        options["APT::Sandbox::User"] = "root"
    apt = [
        "apt-get",
        *(word for key, value in options.items() for word in ("-o", f"{key}={value}")),
    ]
    progress("reading Debian's package lists")
    _run([*apt, "update"])
    plan = _run([*apt, "install", "--simulate", *PACKAGES])
    names = re.findall(r"^Inst (\S+)", plan, re.MULTILINE)
    wanted = [name for name in names if not re.fullmatch(LEFT_OUT, name)]
    progress(f"fetching {len(wanted)} packages")
    _run([*apt, "download", *wanted], cwd=debs)
    return sorted(debs.glob("*.deb"))


def _sources() -> str:
    """Return the host's own Debian sources in apt's one-line form, and no others."""
    wanted = "$(REPO_URI)|$(CODENAME)|$(COMPONENT)|$(ORIGIN)"
    listed = _run(["apt-get", "indextargets", "--format", wanted, "Created-By: Packages"])
    lines: dict[str, None] = {}
    for line in listed.splitlines():
        uri, codename, component, origin = line.split("|")
        if origin in {"Debian", "Ubuntu"} and component in {"main", "universe"}:
            key = Path(f"/usr/share/keyrings/{origin.lower()}-archive-keyring.gpg")
            signed = f"[signed-by={key}] " if key.is_file() else ""
            lines[f"deb {signed}{uri} {codename} {component}"] = None
    if not lines:
        raise SandboxImageError(
            "apt knows no Debian archive here; run `apt-get update` first, or use the Dockerfile"
        )
    return "\n".join(lines) + "\n"


def _unpack(debs: Sequence[Path], root: Path, progress: Progress) -> None:
    progress("unpacking")
    for name in ("bin", "sbin", "lib", "lib64"):
        (root / "usr" / name).mkdir(parents=True)
        (root / name).symlink_to(f"usr/{name}")
    excludes = [f"--exclude=./{path}" for path in NOT_UNPACKED]

    def unpack(deb: Path) -> None:
        with subprocess.Popen(
            ["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE
        ) as source:
            command: list[str | Path] = [
                "tar",
                "-x",
                "-C",
                root,
                "--keep-directory-symlink",
                "--no-same-owner",
            ]
            done = subprocess.run(
                [*command, *excludes], stdin=source.stdout, capture_output=True, check=False
            )
        if done.returncode or source.returncode:
            raise SandboxImageError(f"{deb.name} was not unpacked: {done.stderr.decode()[-500:]}")

    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        list(pool.map(unpack, debs))


def _finish(root: Path, progress: Progress) -> None:
    """Do what the packages' own scripts would have done, as far as a sandbox needs it."""
    for name in ("mnt/data", "proc", "sys", "dev", "run", "tmp", "root"):
        (root / name).mkdir(parents=True, exist_ok=True)
    for name in ("passwd", "group"):
        text = (root / f"usr/share/base-passwd/{name}.master").read_text()
        extra = "sandbox:x:65532:65532::/tmp:/bin/bash" if name == "passwd" else "sandbox:x:65532:"
        (root / "etc" / name).write_text(f"{text}{extra}\n")
    (root / "etc/hosts").write_text("127.0.0.1 localhost sandbox\n::1 localhost\n")
    certificates = sorted((root / "usr/share/ca-certificates").rglob("*.crt"))
    bundle = root / "etc/ssl/certs/ca-certificates.crt"
    bundle.parent.mkdir(parents=True, exist_ok=True)
    bundle.write_text("".join(path.read_text() for path in certificates))
    # The linear algebra libraries are chosen through alternatives; there is one.
    for library in root.glob("usr/lib/*/openblas-*/lib*.so*"):
        link = library.parent.parent / library.name
        if not link.is_symlink():
            link.symlink_to(f"{library.parent.name}/{library.name}")
    awk = root / "usr/bin/awk"
    if not awk.is_symlink():
        awk.symlink_to("mawk")
    progress("compiling Python's libraries")
    _compile(root)


def _compile(root: Path) -> None:
    """Byte-compile with the tree's own Python, started through the tree's own loader."""
    loader = next(root.glob("usr/lib/*/ld-linux-*.so.*"))
    python = next(root.glob("usr/bin/python3.[0-9]*"))
    library = next(root.glob("usr/lib/python3.[0-9]*"))
    command: list[str | Path] = [
        loader,
        "--library-path",
        loader.parent,
        python,
        "-I",
        "-m",
        "compileall",
        "-q",
    ]
    command += ["-j0", "-s", root, "-p", "/", library, root / "usr/lib/python3"]
    # Some packages carry files of other Pythons' syntax: the exit status says nothing.
    subprocess.run(command, env={"PYTHONHOME": str(root / "usr")}, capture_output=True, check=False)


def _run(command: Sequence[str | Path], cwd: Path | None = None) -> str:
    environ = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(
        command, cwd=cwd, env=environ, capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip()[-1500:]
        raise SandboxImageError(f"`{Path(command[0]).name} {command[-1]}` failed: {said}")
    return done.stdout


if __name__ == "__main__":
    sys.stdout.write(f"{build_tree(print)}\n")

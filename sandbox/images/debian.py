"""A system tree for sandboxes, built from Debian packages that apt downloads.

The packages' scripts do not run, so the build needs no root and takes about a minute.
`_finish` does the part of their work that a sandbox needs.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

from ...errors import SandboxImageError
from ..cleanup import cache_folder, create_owned_folder

Progress = Callable[[str], None]

PACKAGES = (
    "base-files", "base-passwd", "bash", "ca-certificates", "coreutils", "dash", "findutils",
    "grep", "gzip", "procps", "sed", "tar", "unzip",
    "python3", "python3-ipython", "python3-matplotlib", "python3-numpy", "python3-openpyxl",
    "python3-pandas", "python3-pil", "python3-requests", "python3-scipy", "python3-sympy",
)  # fmt: skip
EXCLUDED_PACKAGES = (
    r".*-dev|gcc|gcc-\d+|g\+\+.*|cpp.*|binutils.*|libbinutils|libgcc-\d+.*|libstdc\+\+-\d+.*"
    r"|lib[alt]san\d|libubsan\d|python3-(tk|pythran|pil\.imagetk)|blt|tk.*|libt(cl|k)\d.*|x11-.*"
    r"|libx(ft|ss|render|ext|11-).*|libjs-.*|perl.*|libperl.*|unicode-data|usrmerge|debconf|dpkg"
)
"""Dependencies that packages need to be configured or built against, but not to run."""
EXCLUDED_FOLDERS = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info")
RECIPE_VERSION = 2
"""Increased when the recipe changes in a way that the constants above do not show."""


def is_possible() -> bool:
    """Return whether this machine has the programs that the recipe needs."""
    return not _missing_programs()


def _missing_programs() -> list[str]:
    return [name for name in ("apt-get", "dpkg-deb", "tar") if shutil.which(name) is None]


def tree_path() -> Path:
    """Return the folder of this recipe's tree, whether or not it exists."""
    return cache_folder() / f"sandbox-{recipe_hash()}"


def recipe_hash() -> str:
    """Return a hash of the recipe."""
    parts = (RECIPE_VERSION, PACKAGES, EXCLUDED_PACKAGES, EXCLUDED_FOLDERS)
    return sha256(repr(parts).encode()).hexdigest()[:12]


def build_tree(progress: Progress) -> Path:
    """Build the tree unless it exists; return its folder. Blocks for about a minute.

    Raises SandboxImageError if apt is missing or fails; the message contains its output.
    """
    tree = tree_path()
    if tree.is_dir():
        return tree
    missing = _missing_programs()
    if missing:
        raise SandboxImageError(
            f"the Debian recipe needs {', '.join(missing)}; install them, or use the Dockerfile"
        )
    tree.parent.mkdir(parents=True, exist_ok=True)
    work = create_owned_folder("building", tree.parent)
    try:
        work.chmod(0o755)
        root = work / "root"
        debs = _fetch(work, progress)
        _unpack(debs, root, progress)
        _finish(root, progress)
        try:
            root.rename(tree)
        except OSError:
            # Another process may have built it in the meantime.
            if not tree.is_dir():
                raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return tree


def outdated_trees(before_s: float) -> list[Path]:
    """Return the trees of other recipes that are older than `before_s` and not in use."""
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
    for folder in ("lists/partial", "cache/archives/partial", "debs"):
        (work / folder).mkdir(parents=True)
    (work / "status").touch()
    (work / "sources.list").write_text(_sources())
    # A separate apt state, but the host's configuration: its mirrors, proxies and keys.
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
        *(part for key, value in options.items() for part in ("-o", f"{key}={value}")),
    ]
    progress("reading Debian's package lists")
    _run([*apt, "update"])
    plan = _run([*apt, "install", "--simulate", *PACKAGES])
    names = re.findall(r"^Inst (\S+)", plan, re.MULTILINE)
    selected = [name for name in names if not re.fullmatch(EXCLUDED_PACKAGES, name)]
    progress(f"downloading {len(selected)} packages")
    _run([*apt, "download", *selected], cwd=debs)
    return sorted(debs.glob("*.deb"))


def _sources() -> str:
    """Return the host's Debian or Ubuntu archives as lines of a sources.list."""
    line_format = "$(REPO_URI)|$(CODENAME)|$(COMPONENT)|$(ORIGIN)"
    targets = _run(["apt-get", "indextargets", "--format", line_format, "Created-By: Packages"])
    lines: dict[str, None] = {}
    for line in targets.splitlines():
        uri, codename, component, origin = line.split("|")
        if origin in {"Debian", "Ubuntu"} and component in {"main", "universe"}:
            key = Path(f"/usr/share/keyrings/{origin.lower()}-archive-keyring.gpg")
            signed = f"[signed-by={key}] " if key.is_file() else ""
            lines[f"deb {signed}{uri} {codename} {component}"] = None
    if not lines:
        raise SandboxImageError(
            "apt has no Debian archive here; run `apt-get update` first, or use the Dockerfile"
        )
    return "\n".join(lines) + "\n"


def _unpack(debs: Sequence[Path], root: Path, progress: Progress) -> None:
    progress("unpacking")
    for name in ("bin", "sbin", "lib", "lib64"):
        (root / "usr" / name).mkdir(parents=True)
        (root / name).symlink_to(f"usr/{name}")
    excludes = [f"--exclude=./{path}" for path in EXCLUDED_FOLDERS]

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
            raise SandboxImageError(f"cannot unpack {deb.name}: {done.stderr.decode()[-500:]}")

    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        list(pool.map(unpack, debs))


def _finish(root: Path, progress: Progress) -> None:
    """Do the part of the packages' own scripts that a sandbox needs."""
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
    # Debian selects the linear algebra library through alternatives; here there is only one.
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
    """Byte-compile with the tree's own Python, started by the tree's own loader."""
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
    # Some packages contain files for other Python versions, so the exit status is ignored.
    subprocess.run(command, env={"PYTHONHOME": str(root / "usr")}, capture_output=True, check=False)


def _run(command: Sequence[str | Path], cwd: Path | None = None) -> str:
    environ = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(
        command, cwd=cwd, env=environ, capture_output=True, text=True, check=False
    )
    if done.returncode:
        output = (done.stderr or done.stdout).strip()[-1500:]
        raise SandboxImageError(f"`{Path(command[0]).name} {command[-1]}` failed: {output}")
    return done.stdout


if __name__ == "__main__":
    sys.stdout.write(f"{build_tree(print)}\n")

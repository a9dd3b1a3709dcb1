"""Who owns a container or a folder, so that those of dead owners can be told and removed."""

from __future__ import annotations

import os
import tempfile
import time
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import platformdirs

LABEL = "ossia.sandbox"
OWNER = "ossia.owner"
EXPIRES = "ossia.expires"
LIFE_S = 24 * 3600.0
"""Seconds after which a container may be removed whoever owns it, and a folder of elsewhere."""


class Owner(NamedTuple):
    """A process, named for good."""

    machine: str
    """Its boot and its process namespace: two containers of a machine count processes apart."""
    process: str
    """`pid@start`, for process ids are used again."""

    @classmethod
    def of(cls, pid: int) -> Owner | None:
        """Return the owner that a living process of this machine is."""
        try:
            stat = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
        except OSError:
            return None
        fields = stat.rpartition(")")[2].split()
        return None if fields[0] == "Z" else cls(_machine(), f"{pid}@{fields[19]}")

    def is_dead(self) -> bool:
        """True for a process of this machine that has ended; of others nothing is known."""
        pid = self.process.partition("@")[0]
        return self.machine == _machine() and pid.isdigit() and Owner.of(int(pid)) != self

    @property
    def label(self) -> str:
        """What its containers are labelled with."""
        return f"{self.machine}/{self.process}"

    @property
    def folders(self) -> list[Path]:
        """Its temporary folders."""
        return _folders(temporary(), f"{_short(self.machine)}-{self.process}")


def labels(life_s: float = LIFE_S) -> dict[str, str]:
    """Return the labels of a container that this process starts now."""
    me = Owner.of(os.getpid())
    expires = str(int(time.time() + life_s))
    return {LABEL: "1", OWNER: me.label if me else "", EXPIRES: expires}


def is_abandoned(found: dict[str, str]) -> bool:
    """True for labels whose owner is a dead process of this machine, or whose time has passed."""
    expires = found.get(EXPIRES, "")
    if not expires.isdigit() or int(expires) < time.time():
        return True
    machine, _, process = found.get(OWNER, "").rpartition("/")
    return Owner(machine, process).is_dead()


def temporary() -> Path:
    """Return the folder for what need not outlive its owner."""
    return Path(tempfile.gettempdir())


def cache_folder() -> Path:
    """Return the folder for the systems that sandboxes start from; they outlive their makers."""
    # Root's own cache is closed to the user that a sandbox runs as.
    root = os.geteuid() == 0
    return platformdirs.site_cache_path("ossia") if root else platformdirs.user_cache_path("ossia")


def own_folder(kind: str, parent: Path | None = None) -> Path:
    """Make a folder whose name tells its owner, so that `abandoned_folders` finds it."""
    me = Owner.of(os.getpid()) or Owner("", f"{os.getpid()}@0")
    prefix = f"ossia-{kind}-{_short(me.machine)}-{me.process}-"
    return Path(tempfile.mkdtemp(prefix=prefix, dir=parent or temporary()))


def abandoned_folders(parent: Path) -> list[Path]:
    """Return the folders made by `own_folder` whose owners are dead processes of this machine.

    One that a container beside us made, or this machine before it was started anew, is
    abandoned when a day has passed.
    """
    return [path for path in _folders(parent, "*-*@*") if _is_abandoned(path)]


def _is_abandoned(folder: Path) -> bool:
    _, _, machine, process, *_ = folder.name.split("-")
    if machine == _short(_machine()):
        return Owner(_machine(), process).is_dead()
    try:
        return folder.stat().st_mtime + LIFE_S < time.time()
    except OSError:
        return False


def _folders(parent: Path, owner: str) -> list[Path]:
    return sorted(parent.glob(f"ossia-*-{owner}-*"))


def _short(machine: str) -> str:
    return sha256(machine.encode()).hexdigest()[:8]


def _machine() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""

"""Owners of containers and folders, recorded so that those of dead owners can be removed."""

from __future__ import annotations

import os
import tempfile
import time
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import platformdirs

SANDBOX_LABEL = "ossia.sandbox"
OWNER_LABEL = "ossia.owner"
EXPIRES_LABEL = "ossia.expires"
MAX_AGE_S = 24 * 3600.0
"""Age in seconds at which a container, or a folder of another machine, counts as abandoned."""


class Owner(NamedTuple):
    """A process, identified uniquely across restarts and containers."""

    machine: str
    """The boot id and the pid namespace: containers of one machine count their pids separately."""
    process: str
    """`pid@start`: the start time distinguishes processes that reuse a pid."""

    @classmethod
    def of(cls, pid: int) -> Owner | None:
        """Return a living process of this machine as an owner; None if it is dead."""
        try:
            stat = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
        except OSError:
            return None
        fields = stat.rpartition(")")[2].split()
        return None if fields[0] == "Z" else cls(_machine_id(), f"{pid}@{fields[19]}")

    def is_dead(self) -> bool:
        """Return whether this is a process of this machine that has ended."""
        pid = self.process.partition("@")[0]
        return self.machine == _machine_id() and pid.isdigit() and Owner.of(int(pid)) != self

    @property
    def label(self) -> str:
        """Return the value of `OWNER_LABEL` on its containers."""
        return f"{self.machine}/{self.process}"

    @property
    def folders(self) -> list[Path]:
        """Return its temporary folders."""
        return _find_folders(temporary_folder(), f"{_short_id(self.machine)}-{self.process}")


def owner_labels(max_age_s: float = MAX_AGE_S) -> dict[str, str]:
    """Return the labels of a container that this process starts now."""
    owner = Owner.of(os.getpid())
    expires = str(int(time.time() + max_age_s))
    return {SANDBOX_LABEL: "1", OWNER_LABEL: owner.label if owner else "", EXPIRES_LABEL: expires}


def is_abandoned(labels: dict[str, str]) -> bool:
    """Return whether a container's owner is a dead process of this machine, or it has expired."""
    expires = labels.get(EXPIRES_LABEL, "")
    if not expires.isdigit() or int(expires) < time.time():
        return True
    machine, _, process = labels.get(OWNER_LABEL, "").rpartition("/")
    return Owner(machine, process).is_dead()


def temporary_folder() -> Path:
    """Return the folder for files that are only needed while their owner lives."""
    return Path(tempfile.gettempdir())


def cache_folder() -> Path:
    """Return the folder for the system trees of sandboxes, which processes share."""
    # The user that a sandbox runs as cannot read root's own cache folder.
    is_root = os.geteuid() == 0
    return (
        platformdirs.site_cache_path("ossia") if is_root else platformdirs.user_cache_path("ossia")
    )


def create_owned_folder(kind: str, parent: Path | None = None) -> Path:
    """Create a folder whose name contains its owner, so that `abandoned_folders` finds it."""
    owner = Owner.of(os.getpid()) or Owner("", f"{os.getpid()}@0")
    prefix = f"ossia-{kind}-{_short_id(owner.machine)}-{owner.process}-"
    return Path(tempfile.mkdtemp(prefix=prefix, dir=parent or temporary_folder()))


def abandoned_folders(parent: Path) -> list[Path]:
    """Return the folders from `create_owned_folder` whose owners are dead.

    The processes of other containers, and of this machine before a reboot, cannot be checked:
    their folders count as abandoned after a day.
    """
    return [path for path in _find_folders(parent, "*-*@*") if _is_abandoned_folder(path)]


def _is_abandoned_folder(folder: Path) -> bool:
    _, _, machine, process, *_ = folder.name.split("-")
    if machine == _short_id(_machine_id()):
        return Owner(_machine_id(), process).is_dead()
    try:
        return folder.stat().st_mtime + MAX_AGE_S < time.time()
    except OSError:
        return False


def _find_folders(parent: Path, owner: str) -> list[Path]:
    return sorted(parent.glob(f"ossia-*-{owner}-*"))


def _short_id(machine: str) -> str:
    return sha256(machine.encode()).hexdigest()[:8]


def _machine_id() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""

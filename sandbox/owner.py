"""Who owns a container, told in its labels, so that those of the dead can be found."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

LABEL = "ossia.sandbox"
OWNER = "ossia.owner"
EXPIRES = "ossia.expires"
LIFE_S = 24 * 3600.0
"""Seconds after which a container may be removed, whoever owns it."""


def labels(life_s: float = LIFE_S) -> dict[str, str]:
    """Return the labels of a container that this process starts now."""
    return {LABEL: "1", OWNER: _owner(os.getpid()) or "", EXPIRES: str(int(time.time() + life_s))}


def own_folder(kind: str) -> Path:
    """Make a temporary folder whose name tells its owner, so that `abandoned_folders` finds it."""
    process = (_owner(os.getpid()) or f"/{os.getpid()}@0").rpartition("/")[2]
    return Path(tempfile.mkdtemp(prefix=f"ossia-{kind}-{process}-"))


def abandoned_folders() -> list[Path]:
    """Return the temporary folders of ours whose owners are dead."""
    found: list[Path] = []
    for path in Path(tempfile.gettempdir()).glob("ossia-*-*@*-*"):
        process = path.name.split("-")[2]
        pid = process.partition("@")[0]
        alive = _owner(int(pid)) if pid.isdigit() else None
        if alive is None or alive.rpartition("/")[2] != process:
            found.append(path)
    return found


def is_abandoned(found: dict[str, str]) -> bool:
    """True for labels whose owner is a dead process of this machine, or whose time has passed."""
    expires = found.get(EXPIRES, "")
    if not expires.isdigit() or int(expires) < time.time():
        return True
    owner = found.get(OWNER, "")
    machine, _, process = owner.rpartition("/")
    pid = process.partition("@")[0]
    if machine != _machine() or not pid.isdigit():
        return False
    return _owner(int(pid)) != owner


def _owner(pid: int) -> str | None:
    """Return what names a process for good: its start time too, for pids are used again."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    if fields[0] == "Z":
        return None
    return f"{_machine()}/{pid}@{fields[19]}"


def _machine() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        # Two containers of one machine count their processes apart.
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""

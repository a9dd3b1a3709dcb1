"""Namespaces of one's own through bubblewrap, for machines without a Docker daemon."""

from __future__ import annotations

import math
import os
import shutil
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from ...errors import SandboxUnavailableError
from ..host import Channel, KernelProcess, boot_command
from ..images import debian
from ..network import INSIDE
from ..protocol import DATA
from .isolated import HOME, MIB, USER_ID, IsolatedSandbox
from .seccomp import seccomp_filter

_NOBODY = 65534
_SHM_MIB = 64
_HOST_FOLDERS = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/lib32", "/etc/alternatives")
_HOST_FILES = ("/etc/ld.so.cache", "/etc/localtime", "/etc/ssl", "/etc/fonts", "/etc/matplotlibrc")


@dataclass(kw_only=True, eq=False)
class BubblewrapSandbox(IsolatedSandbox):
    """Own user, pid, net, ipc, uts and mount namespaces, a read-only system, limits, a call filter.

    The system is the tree that `ossia sandbox build` keeps in the cache folder, where it is there;
    else the machine's own /usr, read-only, with the Python and the packages that it has.
    """

    _process: KernelProcess = field(default_factory=KernelProcess, init=False, repr=False)

    def _kernel_options(self) -> dict[str, Any]:
        rlimits = {
            "as": self.memory_mib * MIB,
            "nproc": self.pids,
            "nofile": self.open_files,
            "fsize": self.data_mib * MIB,
            "core": 0,
        }
        return {**super()._kernel_options(), "rlimits": rlimits, "cpus": math.ceil(self.cpus)}

    async def _start(self) -> Channel:
        program = shutil.which("bwrap")
        if program is None:
            raise SandboxUnavailableError(
                "no `bwrap` is installed: `apt-get install bubblewrap`, or use Docker"
            )
        await self._open_egress()
        with _filter_file() as filtered:
            fds = [] if filtered is None else [filtered]
            seccomp = [word for fd in fds for word in ("--seccomp", str(fd))]
            return await self._process.start(
                [program, *seccomp, *self._arguments(), *boot_command()],
                pass_fds=fds,
                # Root has no limit on processes.
                user=_NOBODY if os.geteuid() == 0 else None,
            )

    def _arguments(self) -> list[str]:
        arguments = ["--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent"]
        arguments += ["--new-session", "--cap-drop", "ALL", "--hostname", "sandbox"]
        # The supervisor is the first process of its namespace: nothing inside can signal it,
        # and bubblewrap leaves no process of its own to the machine's init.
        arguments += ["--as-pid-1", "--uid", str(USER_ID), "--gid", str(USER_ID)]
        arguments += _system()
        arguments += ["--proc", "/proc", "--dev", "/dev"]
        for size, folder in ((self.tmp_mib, HOME), (self.data_mib, DATA), (_SHM_MIB, "/dev/shm")):  # noqa: S108 - inside
            arguments += ["--size", str(size * MIB), "--tmpfs", folder]
        arguments += ["--remount-ro", "/dev"]
        if self._egress is not None:
            folder = str(PurePosixPath(INSIDE).parent)
            arguments += ["--size", str(MIB), "--tmpfs", "/run"]
            arguments += ["--ro-bind", str(self._egress.folder), folder, "--remount-ro", "/run"]
        arguments += ["--remount-ro", "/", "--chdir", DATA, "--clearenv"]
        for name, value in self._environment().items():
            arguments += ["--setenv", name, value]
        return arguments

    async def _stop(self) -> None:
        await self._process.end()

    async def _exit_reason(self) -> str:
        text = await self._process.stderr_tail()
        if text.startswith("bwrap:"):
            raise SandboxUnavailableError(
                f"bubblewrap is not allowed what it needs here ({text}). Allow namespaces of one's "
                "own (`sysctl kernel.unprivileged_userns_clone=1`, or on Ubuntu "
                "`kernel.apparmor_restrict_unprivileged_userns=0`; inside a container its runtime "
                "must allow them, and a /proc of one's own), or use Docker"
            )
        return text or "its processes were killed, or memory ran out"


@contextmanager
def _filter_file() -> Generator[int | None]:
    """Yield a descriptor that holds the filter of system calls, if this machine has one."""
    program = seccomp_filter()
    if program is None:
        yield None
        return
    fd = os.memfd_create("ossia-seccomp")
    try:
        os.write(fd, program)
        os.lseek(fd, 0, os.SEEK_SET)
        yield fd
    finally:
        os.close(fd)


def _system() -> list[str]:
    tree = debian.tree_path()
    if tree.is_dir():
        return ["--ro-bind", str(tree), "/"]
    if sys.platform != "linux":
        raise SandboxUnavailableError("bubblewrap is for Linux; use Docker")
    arguments = ["--tmpfs", "/"]
    for folder in _HOST_FOLDERS:
        if Path(folder).is_symlink():
            arguments += ["--symlink", str(Path(folder).readlink()), folder]
        else:
            arguments += ["--ro-bind-try", folder, folder]
    for file in _HOST_FILES:
        arguments += ["--ro-bind-try", file, file]
    return arguments

"""Sandboxes in user namespaces, for machines without a Docker daemon."""

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
from ..images import tree_path
from ..network import EGRESS_SOCKET
from ..protocol import DATA_FOLDER
from .isolated import HOME, MIB, USER_ID, IsolatedSandbox
from .seccomp import seccomp_filter

_NOBODY_UID = 65534
_SHM_FOLDER = "/dev/shm"  # noqa: S108 - inside the sandbox
_SHM_MIB = 64
_HOST_FOLDERS = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/lib32", "/etc/alternatives")
_HOST_FILES = ("/etc/ld.so.cache", "/etc/localtime", "/etc/ssl", "/etc/fonts", "/etc/matplotlibrc")


@dataclass(kw_only=True, eq=False)
class BubblewrapSandbox(IsolatedSandbox):
    """A sandbox in its own user, pid, net, ipc, uts and mount namespaces.

    It has a read-only system, resource limits and a seccomp filter. The system is the tree that
    `ossia sandbox build` keeps in the cache folder. Without that tree, it is the machine's own
    /usr, read-only, with its Python and packages.
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
                "`bwrap` is not installed: run `apt-get install bubblewrap`, or use Docker"
            )
        await self._open_egress()
        with _filter_file() as filter_fd:
            fds = [] if filter_fd is None else [filter_fd]
            seccomp = [part for fd in fds for part in ("--seccomp", str(fd))]
            return await self._process.start(
                [program, *seccomp, *self._arguments(), *boot_command()],
                pass_fds=fds,
                # The limit on processes does not apply to root.
                user=_NOBODY_UID if os.geteuid() == 0 else None,
            )

    def _arguments(self) -> list[str]:
        arguments = ["--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent"]
        arguments += ["--new-session", "--cap-drop", "ALL", "--hostname", "sandbox"]
        # The supervisor is the first process of its namespace: nothing inside can signal it,
        # and bubblewrap leaves no process that the machine's init would have to reap.
        arguments += ["--as-pid-1", "--uid", str(USER_ID), "--gid", str(USER_ID)]
        arguments += _system_mounts()
        arguments += ["--proc", "/proc", "--dev", "/dev"]
        sizes_mib = {HOME: self.tmp_mib, DATA_FOLDER: self.data_mib, _SHM_FOLDER: _SHM_MIB}
        for folder, size_mib in sizes_mib.items():
            arguments += ["--size", str(size_mib * MIB), "--tmpfs", folder]
        arguments += ["--remount-ro", "/dev"]
        if self._egress is not None:
            folder = str(PurePosixPath(EGRESS_SOCKET).parent)
            arguments += ["--size", str(MIB), "--tmpfs", "/run"]
            arguments += ["--ro-bind", str(self._egress.folder), folder, "--remount-ro", "/run"]
        arguments += ["--remount-ro", "/", "--chdir", DATA_FOLDER, "--clearenv"]
        for name, value in self._environment().items():
            arguments += ["--setenv", name, value]
        return arguments

    async def _stop(self) -> None:
        await self._process.stop()

    async def _exit_reason(self) -> str:
        text = await self._process.stderr_tail()
        if text.startswith("bwrap:"):
            raise SandboxUnavailableError(
                f"bubblewrap is not allowed to create a sandbox ({text}). Allow user namespaces "
                "(`sysctl kernel.unprivileged_userns_clone=1`, or on Ubuntu "
                "`kernel.apparmor_restrict_unprivileged_userns=0`; in a container, the runtime "
                "must allow them and a new /proc), or use Docker"
            )
        return text or "its processes were killed, or it ran out of memory"


@contextmanager
def _filter_file() -> Generator[int | None]:
    """Yield a descriptor of the seccomp filter, or None if this machine has none."""
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


def _system_mounts() -> list[str]:
    tree = tree_path()
    if tree.is_dir():
        return ["--ro-bind", str(tree), "/"]
    if sys.platform != "linux":
        raise SandboxUnavailableError("bubblewrap needs Linux; use Docker")
    arguments = ["--tmpfs", "/"]
    for folder in _HOST_FOLDERS:
        if Path(folder).is_symlink():
            arguments += ["--symlink", str(Path(folder).readlink()), folder]
        else:
            arguments += ["--ro-bind-try", folder, folder]
    for file in _HOST_FILES:
        arguments += ["--ro-bind-try", file, file]
    return arguments

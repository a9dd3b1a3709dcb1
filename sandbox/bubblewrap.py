"""Namespaces of one's own through bubblewrap, for machines without a Docker daemon."""

from __future__ import annotations

import math
import os
import shutil
import socket
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import anyio
from anyio.abc import Process

from ..errors import SandboxUnavailableError
from . import debian
from .boot import boot_command
from .channel import Channel
from .contained import HOME, MIB, USER_ID, ContainedSandbox
from .egress import INSIDE
from .execution import DATA
from .seccomp import seccomp_filter
from .session import LEAVE_S

_NOBODY = 65534
_SHM_MIB = 64
_HOST_FOLDERS = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/lib32", "/etc/alternatives")
_HOST_FILES = ("/etc/ld.so.cache", "/etc/localtime", "/etc/ssl", "/etc/fonts", "/etc/matplotlibrc")


@dataclass(kw_only=True, eq=False)
class BubblewrapSandbox(ContainedSandbox):
    """Own user, pid, net, ipc, uts and mount namespaces, a read-only system, limits, a call filter.

    The system is the tree that `ossia sandbox build` keeps in the cache folder, where it is there;
    else the machine's own /usr, read-only, with the Python and the packages that it has.
    """

    _process: Process | None = field(default=None, init=False, repr=False)

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
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                await self._spawn(program, theirs.fileno())
        except BaseException:
            ours.close()
            raise
        return Channel(ours)

    async def _spawn(self, program: str, channel: int) -> None:
        # As root, the limit on processes would not hold: the user is given up first.
        root = os.geteuid() == 0
        with _filter_file() as filtered:
            fds = [] if filtered is None else [filtered]
            seccomp = [word for fd in fds for word in ("--seccomp", str(fd))]
            # A start that is cancelled half-way leaves a process and its pipe to nobody.
            with anyio.CancelScope(shield=True):
                self._process = await anyio.open_process(
                    [program, *seccomp, *self._arguments(), *boot_command()],
                    stdin=channel,
                    stdout=channel,
                    start_new_session=True,
                    pass_fds=fds,
                    user=_NOBODY if root else None,
                    group=_NOBODY if root else None,
                    extra_groups=() if root else None,
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
        if self._process is not None:
            # It ends with its supervisor, which ends with the channel; killed, it would
            # leave its inner half to an init that may not reap.
            with anyio.move_on_after(LEAVE_S):
                await self._process.wait()
            if self._process.returncode is None:
                self._process.kill()
            await self._process.aclose()
            self._process = None

    async def _why_dead(self) -> str:
        if self._process is None or self._process.stderr is None:
            return "it was never started"
        said = b""
        with anyio.move_on_after(2.0):
            try:
                async for part in self._process.stderr:
                    said = (said + part)[-4096:]
            except anyio.ClosedResourceError:
                pass
        text = said.decode(errors="replace").strip()
        if "namespace" in text or "uid map" in text:
            raise SandboxUnavailableError(
                f"this machine allows no namespaces of one's own ({text}). Allow them "
                "(`sysctl kernel.unprivileged_userns_clone=1`, or on Ubuntu "
                "`kernel.apparmor_restrict_unprivileged_userns=0`), or use Docker"
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

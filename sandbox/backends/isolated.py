"""The base class of Docker and bubblewrap sandboxes: limits, and access to allowed hosts only."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

from ..host import CellOutput, KernelClient, KernelSandbox
from ..kernel import Header
from ..network import EGRESS_SOCKET, Egress
from ..protocol import DATA_FOLDER

MIB = 1024 * 1024
HOME = "/tmp"  # noqa: S108 - inside the sandbox, not shared
USER_ID = 65532
"""The user that the code runs as; no file or limit of the host belongs to it."""
PROXY_PORT = 3128


@dataclass(kw_only=True, eq=False)
class IsolatedSandbox(KernelSandbox):
    """A sandbox with resource limits and without access to the host."""

    memory_mib: int = 2048
    """Limit for all processes together (Docker, without swap) or for each (bubblewrap)."""
    cpus: float = 2.0
    """CPUs' worth of time (Docker), or number of CPUs, rounded up (bubblewrap)."""
    pids: int = 128
    """Maximum number of processes and threads."""
    data_mib: int = 512
    """Size of /mnt/data, and of one file; it is in memory."""
    tmp_mib: int = 256
    """Size of /tmp; it is in memory."""
    open_files: int = 1024
    """Maximum number of open files per process."""
    network: Literal["none", "egress"] = "none"
    """`egress` allows HTTP and HTTPS to `allow_hosts`, through a proxy, and nothing else."""
    allow_hosts: tuple[str, ...] = ()
    """Such as `pypi.org`, `*.debian.org` or `10.0.0.7:8080`; the default ports are 80 and 443."""
    _egress: Egress | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        """Check the options.

        Raises ValueError that names the invalid option.
        """
        minimum = {"memory_mib": 128, "cpus": 0.01, "pids": 16, "data_mib": 1, "tmp_mib": 1}
        minimum |= {"open_files": 64, "output_kib": 1}
        for name, value in minimum.items():
            if getattr(self, name) < value:
                raise ValueError(f"{name} is {getattr(self, name)!r}; the minimum is {value}")
        if self.network not in {"none", "egress"}:
            raise ValueError(f"network is {self.network!r}; use 'none' or 'egress'")
        if self.allow_hosts and self.network == "none":
            raise ValueError("allow_hosts needs network='egress'")
        if isinstance(self.allow_hosts, str):
            raise ValueError("allow_hosts is one string; use a tuple of hosts")  # noqa: TRY004

    async def _open_egress(self) -> Egress | None:
        """Open the proxy if network access is enabled."""
        if self.network == "egress" and self._egress is None:
            self._egress = await Egress.open(self.allow_hosts)
        return self._egress

    async def _close(self) -> None:
        if self._egress is not None:
            await self._egress.close()
            self._egress = None

    async def _run_cell(
        self, kernel: KernelClient, number: int, code: bytes, timeout_s: float, output: CellOutput
    ) -> Header:
        work = partial(super()._run_cell, kernel, number, code, timeout_s, output)
        return await (work() if self._egress is None else self._egress.serve_during(work))

    def _kernel_options(self) -> dict[str, Any]:
        proxy = {"port": PROXY_PORT, "socket": EGRESS_SOCKET} if self.network == "egress" else None
        return {"data": DATA_FOLDER, "rlimits": {}, "cpus": 0, "proxy": proxy}

    def _environment(self) -> dict[str, str]:
        """Return the environment variables of the code."""
        threads = str(max(1, round(self.cpus)))
        environment = {
            "HOME": HOME,
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "MPLCONFIGDIR": f"{HOME}/matplotlib",
            "OMP_NUM_THREADS": threads,
            "OPENBLAS_NUM_THREADS": threads,
        }
        if self.network == "egress":
            proxy = f"http://127.0.0.1:{PROXY_PORT}"
            for name in ("http_proxy", "https_proxy"):
                environment[name] = environment[name.upper()] = proxy
        return environment

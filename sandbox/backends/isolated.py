"""What Docker's and bubblewrap's sandboxes have in common: limits, and no network but a list."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

from ..host import KernelClient, KernelSandbox, Output
from ..kernel import Header
from ..network import INSIDE, Egress
from ..protocol import DATA

MIB = 1024 * 1024
HOME = "/tmp"  # noqa: S108 - inside, and of one sandbox alone
USER_ID = 65532
"""Who the code is inside: nobody that a machine's own files or limits could belong to."""
PROXY_PORT = 3128


@dataclass(kw_only=True, eq=False)
class IsolatedSandbox(KernelSandbox):
    """A sandbox with walls."""

    memory_mib: int = 2048
    """Of all processes together in Docker, without swap; of each under bubblewrap."""
    cpus: float = 2.0
    """Of processor time in Docker; under bubblewrap processors, rounded up."""
    pids: int = 128
    """Processes and threads at once."""
    data_mib: int = 512
    """Size of /mnt/data, and of one file; it lies in memory."""
    tmp_mib: int = 256
    """Size of /tmp; it lies in memory."""
    open_files: int = 1024
    """Of each process."""
    network: Literal["none", "egress"] = "none"
    """With `egress`, HTTP and HTTPS to `allow_hosts` through a proxy of ours, and nothing else."""
    allow_hosts: tuple[str, ...] = ()
    """Such as `pypi.org`, `*.debian.org` or `10.0.0.7:8080`; without a port, 80 and 443."""
    _egress: Egress | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        """Check the options.

        Raises ValueError, naming the option.
        """
        least = {"memory_mib": 128, "cpus": 0.01, "pids": 16, "data_mib": 1, "tmp_mib": 1}
        least |= {"open_files": 64, "output_kib": 1}
        for name, value in least.items():
            if getattr(self, name) < value:
                raise ValueError(f"{name} is {getattr(self, name)!r}; give it at least {value}")
        if self.network not in {"none", "egress"}:
            raise ValueError(f"network is {self.network!r}; it can be 'none' or 'egress'")
        if self.allow_hosts and self.network == "none":
            raise ValueError("allow_hosts needs network='egress'")
        if isinstance(self.allow_hosts, str):
            raise ValueError("allow_hosts is a tuple of hosts; you gave one string")  # noqa: TRY004

    async def _open_egress(self) -> Egress | None:
        """Open the way out, where one is asked for."""
        if self.network == "egress" and self._egress is None:
            self._egress = await Egress.open(self.allow_hosts)
        return self._egress

    async def _close(self) -> None:
        if self._egress is not None:
            await self._egress.close()
            self._egress = None

    async def _cell(
        self, kernel: KernelClient, number: int, code: bytes, timeout_s: float, output: Output
    ) -> Header:
        work = partial(super()._cell, kernel, number, code, timeout_s, output)
        return await (work() if self._egress is None else self._egress.serve_during(work))

    def _kernel_options(self) -> dict[str, Any]:
        proxy = {"port": PROXY_PORT, "socket": INSIDE} if self.network == "egress" else None
        return {"data": DATA, "rlimits": {}, "cpus": 0, "proxy": proxy}

    def _environment(self) -> dict[str, str]:
        """Return the environment that the code finds."""
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

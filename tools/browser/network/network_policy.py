"""Rules for the hosts that the browser may connect to."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from dataclasses import dataclass

import anyio

from ....errors import ToolError
from ....sandbox.network import is_public

RESOLVE_S = 10.0
"""Timeout of a DNS lookup in seconds."""


@dataclass(frozen=True, slots=True)
class NetworkPolicy:
    """Rules for the hosts that the browser may connect to: by default the public internet.

    Connect to the addresses that `resolve` returns. Resolving the name twice allows DNS rebinding.
    """

    allow_hosts: tuple[str, ...] = ()
    """Hosts that may have private addresses: `intranet.example`, `127.0.0.1:8765`."""
    only_hosts: tuple[str, ...] = ()
    """If not empty, all other hosts are refused. `.example.org` matches every subdomain."""
    deny_hosts: tuple[str, ...] = ()
    """Hosts that are always refused."""

    async def resolve(self, host: str, port: int) -> list[str]:
        """Return the addresses of a host after checking each of them.

        Raises ToolError, for the model to read, if the host is unknown or not allowed.
        """
        if not 0 < port < 2**16:
            raise ToolError(f"port {port} is out of range")
        name = host.rstrip(".").lower()
        refused = _matches(self.deny_hosts, name, port) or (
            self.only_hosts and not _matches(self.only_hosts, name, port)
        )
        if refused:
            raise ToolError(f"{host} is not an allowed host")
        addresses = await _look_up(host, port)
        if _matches(self.allow_hosts, name, port):
            return addresses
        # One private address is enough to refuse: mixing it with public ones is an attack.
        if not all(map(is_public, addresses)):
            raise ToolError(f"{host} is not on the public internet")
        return addresses


async def _look_up(host: str, port: int) -> list[str]:
    try:
        with anyio.fail_after(RESOLVE_S):
            entries = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except TimeoutError as error:
        raise ToolError(f"DNS lookup of {host} timed out") from error
    except (OSError, UnicodeError) as error:
        raise ToolError(f"host not found: {host}") from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in entries))


def _matches(patterns: Iterable[str], host: str, port: int) -> bool:
    for pattern in map(str.lower, patterns):
        if pattern in {host, f"{host}:{port}", f"[{host}]:{port}"}:
            return True
        if pattern.startswith(".") and host.endswith(pattern):
            return True
    return False

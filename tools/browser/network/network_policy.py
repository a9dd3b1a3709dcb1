"""Where the browser may connect to: the public internet, and what its user has named besides."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from dataclasses import dataclass

from anyio import fail_after, getaddrinfo

from ....errors import ToolError
from ....sandbox.network import is_public

RESOLVE_S = 10.0
"""Seconds that a name server has to answer."""


@dataclass(frozen=True, slots=True)
class NetworkPolicy:
    """Resolves a name once, and says which addresses may be connected to.

    Whoever connects must connect to the addresses that come out here: to resolve the name again
    is to let its owner change his mind.
    """

    allow_hosts: tuple[str, ...] = ()
    """Hosts that may be private, `intranet.example` or `127.0.0.1:8765`."""
    only_hosts: tuple[str, ...] = ()
    """If there are any, no other host is let through; `.example.org` stands for all below it."""
    deny_hosts: tuple[str, ...] = ()

    async def addresses(self, host: str, port: int) -> list[str]:
        """The addresses of a host, each of them allowed.

        Raises ToolError, for the model to read, if the host is unknown or must not be reached.
        """
        if not 0 < port < 2**16:
            raise ToolError(f"{port} is no port; they end at 65535")
        named = host.rstrip(".").lower()
        refused = _matches(self.deny_hosts, named, port) or (
            self.only_hosts and not _matches(self.only_hosts, named, port)
        )
        if refused:
            raise ToolError(f"{host} is not among the hosts that may be visited")
        found = await self._resolve(host, port)
        if _matches(self.allow_hosts, named, port):
            return found
        for address in found:
            # One private address among public ones is an attack, not a choice.
            if not is_public(address):
                raise ToolError(f"{host} is not on the public internet, and may not be visited")
        return found

    async def _resolve(self, host: str, port: int) -> list[str]:
        try:
            with fail_after(RESOLVE_S):
                found = await getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except TimeoutError as error:
            raise ToolError(f"no name server answered for {host}") from error
        except (OSError, UnicodeError) as error:
            raise ToolError(f"there is no host {host}") from error
        return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _matches(hosts: Iterable[str], host: str, port: int) -> bool:
    for entry in hosts:
        named = entry.lower()
        if named in {host, f"{host}:{port}", f"[{host}]:{port}"}:
            return True
        if named.startswith(".") and host.endswith(named):
            return True
    return False

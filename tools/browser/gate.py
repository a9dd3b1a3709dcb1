"""Where the browser may connect to: the public internet, and what its user has named besides."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from anyio import fail_after, getaddrinfo

from ...errors import ToolError

RESOLVE_S = 10.0
"""Seconds that a name server has to answer."""

# What `is_global` lets pass, or passed in some release of Python, and is still no public host.
_NOT_PUBLIC = tuple(
    map(
        ip_network,
        (
            "0.0.0.0/8",
            "100.64.0.0/10",  # carriers' own; also a cloud's metadata
            "168.63.129.16/32",  # a cloud's metadata, at a public address
            "192.0.0.0/24",
            "192.88.99.0/24",  # relays of 6to4
            "198.18.0.0/15",
            "240.0.0.0/4",
            "::/96",
            "100::/64",
            "2001::/23",
            "2001:db8::/32",
            "3fff::/20",
            "5f00::/16",
            "fec0::/10",
        ),
    )
)
# Here an IPv4 address is inside, and it is that one which is reached in the end.
_NAT64 = (ip_network("64:ff9b::/96"), ip_network("64:ff9b:1::/48"))


@dataclass(frozen=True, slots=True)
class Gate:
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


def is_public(address: str) -> bool:
    """Whether an address belongs to a host on the public internet."""
    parsed = ip_address(address)
    inner = _inside(parsed)
    if inner is not None:
        return is_public(str(inner))
    return (
        parsed.is_global
        and not parsed.is_multicast
        and not any(parsed in network for network in _NOT_PUBLIC)
    )


def _inside(address: IPv4Address | IPv6Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 address carries, in whatever way."""
    if isinstance(address, IPv4Address):
        return None
    if any(address in network for network in _NAT64):
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    carried = address.ipv4_mapped or address.sixtofour
    return carried or (address.teredo[1] if address.teredo else None)


def _matches(hosts: Iterable[str], host: str, port: int) -> bool:
    for entry in hosts:
        named = entry.lower()
        if named in {host, f"{host}:{port}", f"[{host}]:{port}"}:
            return True
        if named.startswith(".") and host.endswith(named):
            return True
    return False

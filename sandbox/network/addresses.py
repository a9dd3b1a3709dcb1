"""The check for public internet addresses, for all outgoing connections."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

# Not public hosts, although `is_global` accepts them, or did in some release of Python.
_NOT_PUBLIC = tuple(
    map(
        ip_network,
        (
            "0.0.0.0/8",
            "100.64.0.0/10",  # carrier-grade NAT; also a cloud's metadata service
            "168.63.129.16/32",  # a cloud's metadata service, at a public address
            "192.0.0.0/24",
            "192.88.99.0/24",  # 6to4 relays
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
# These embed an IPv4 address, which is the one that is reached.
_NAT64 = (ip_network("64:ff9b::/96"), ip_network("64:ff9b:1::/48"))


def is_public(address: str) -> bool:
    """Return whether an address belongs to a host on the public internet."""
    parsed = ip_address(address)
    embedded = _embedded_ipv4(parsed)
    if embedded is not None:
        return is_public(str(embedded))
    return (
        parsed.is_global
        and not parsed.is_multicast
        and not any(parsed in network for network in _NOT_PUBLIC)
    )


def _embedded_ipv4(address: IPv4Address | IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that an IPv6 address embeds, or None."""
    if isinstance(address, IPv4Address):
        return None
    if any(address in network for network in _NAT64):
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    embedded = address.ipv4_mapped or address.sixtofour
    return embedded or (address.teredo[1] if address.teredo else None)

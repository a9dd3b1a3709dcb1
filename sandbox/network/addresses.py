"""Which addresses belong to the public internet, for every way out of this machine."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

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

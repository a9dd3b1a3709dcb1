"""Attempts to reach private addresses; the policy refuses all of them."""

import socket
from collections.abc import AsyncGenerator
from typing import Any

import anyio
import httpx
import pytest
from anyio.abc import SocketAttribute, SocketStream

from ossia.sandbox.network.addresses import is_public
from ossia.tools import ToolError
from ossia.tools.browser.network.network_policy import NetworkPolicy
from ossia.tools.browser.network.transport import PolicyTransport

PRIVATE = """
127.0.0.1 127.1.2.3 0.0.0.0 0.1.2.3 10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 169.254.169.254
169.254.0.1 100.64.0.1 100.100.100.200 168.63.129.16 192.0.0.192 192.0.2.1 198.18.0.1 198.51.100.1
203.0.113.1 224.0.0.1 239.255.255.250 240.0.0.1 255.255.255.255 192.88.99.1
:: ::1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 ::127.0.0.1 64:ff9b::127.0.0.1
64:ff9b::a9fe:a9fe 64:ff9b:1::10.0.0.1 2002:7f00:1:: 2002:a9fe:a9fe:: 2001:0:7f00:1::1
2001:0:53aa:64c:0:0:80ff:fffe fe80::1 fe80::1%eth0 fc00::1 fd00:ec2::254 fec0::1 ff02::1
2001:db8::1 100::1 3fff::1 5f00::1
"""

PUBLIC = "1.1.1.1 8.8.8.8 93.184.216.34 2606:4700:4700::1111 ::ffff:8.8.8.8 64:ff9b::808:808"

# A resolver reads each of these as a private address, though few look like one.
ENCODED = """
127.1 127.0.1 2130706433 0x7f000001 0x7f.0.0.1 0177.0.0.1 0177.0.0.01 017700000001 0 0x0
localhost LOCALHOST localhost. 127.0.0.1. 2852039166 0xa9fea9fe 0251.0376.0251.0376
"""


@pytest.mark.parametrize("address", PRIVATE.split())
def test_a_private_address_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC.split())
def test_a_public_address_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("host", (PRIVATE + ENCODED).split())
async def test_private_addresses_are_refused_in_every_notation(host: str) -> None:
    with pytest.raises(ToolError, match=r"not on the public internet|host not found"):
        await NetworkPolicy().resolve(host, 80)


async def test_a_host_is_refused_if_any_of_its_addresses_is_private(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake_dns(monkeypatch, [["1.1.1.1", "10.0.0.1"]])
    with pytest.raises(ToolError, match=r"mixed\.example is not on the public internet"):
        await NetworkPolicy().resolve("mixed.example", 80)


def fake_dns(monkeypatch: pytest.MonkeyPatch, lookups: list[list[str]]) -> None:
    """Resolve names to the addresses of the next lookup in the list."""
    remaining = iter(lookups)

    def resolve(host: str | bytes, port: int, *args: Any, **options: Any) -> list[Any]:
        name = host.decode() if isinstance(host, bytes) else host
        if name[0].isdigit():
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (name, port))]
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in next(remaining)
        ]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)


@pytest.fixture
async def server() -> AsyncGenerator[tuple[int, list[str]]]:
    """Yield the port and request lines of a server that redirects /away to a private address."""
    request_lines: list[str] = []

    async def serve(client: SocketStream) -> None:
        async with client:
            request = (await client.receive()).decode()
            request_lines.append(request.split("\r\n", 1)[0])
            port = client.extra(SocketAttribute.local_port)
            head = "HTTP/1.1 200 OK\r\n"
            if " /away " in request:
                head = f"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.2:{port}/secret\r\n"
            await client.send(f"{head}Content-Length: 2\r\nConnection: close\r\n\r\nok".encode())

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, serve)
        yield listener.extra(SocketAttribute.local_port), request_lines
        group.cancel_scope.cancel()


async def test_an_allowed_private_host_is_reached(server: tuple[int, list[str]]) -> None:
    port, request_lines = server
    policy = NetworkPolicy(allow_hosts=(f"127.0.0.1:{port}",))
    async with httpx.AsyncClient(transport=PolicyTransport(policy)) as client:
        response = await client.get(f"http://127.0.0.1:{port}/here")
    assert (response.text, request_lines) == ("ok", ["GET /here HTTP/1.1"])


async def test_other_ports_and_names_of_an_allowed_host_are_refused(
    server: tuple[int, list[str]],
) -> None:
    port, request_lines = server
    policy = NetworkPolicy(allow_hosts=("127.0.0.1:1",))
    async with httpx.AsyncClient(transport=PolicyTransport(policy)) as client:
        for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433"):
            with pytest.raises(ToolError):
                await client.get(f"http://{host}:{port}/here")
    assert request_lines == []


async def test_a_redirect_is_checked_again(server: tuple[int, list[str]]) -> None:
    port, request_lines = server
    policy = NetworkPolicy(allow_hosts=(f"127.0.0.1:{port}",))
    async with httpx.AsyncClient(
        transport=PolicyTransport(policy), follow_redirects=True
    ) as client:
        with pytest.raises(ToolError, match=r"127\.0\.0\.2 is not on the public internet"):
            await client.get(f"http://127.0.0.1:{port}/away")
    assert request_lines == ["GET /away HTTP/1.1"]


async def test_a_name_is_resolved_only_once(
    server: tuple[int, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    port, request_lines = server
    # The first address has no server; the second lookup would return the server's address.
    fake_dns(monkeypatch, [["127.0.0.3"], ["127.0.0.1"]])
    policy = NetworkPolicy(allow_hosts=(f"rebind.example:{port}",))
    async with httpx.AsyncClient(transport=PolicyTransport(policy), timeout=5) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(f"http://rebind.example:{port}/secret")
    assert request_lines == []


@pytest.mark.parametrize(
    ("policy", "host", "reason"),
    [
        (NetworkPolicy(deny_hosts=("1.1.1.1",)), "1.1.1.1", "is not an allowed host"),
        (NetworkPolicy(deny_hosts=(".example.org",)), "a.b.EXAMPLE.org.", "is not an allowed host"),
        (NetworkPolicy(only_hosts=("1.1.1.1",)), "8.8.8.8", "is not an allowed host"),
        (NetworkPolicy(only_hosts=(".1.1",)), "127.0.1.1", "not on the public internet"),
        (NetworkPolicy(), "no-such-host.invalid", "host not found: no-such-host.invalid"),
        (NetworkPolicy(), "a" * 300, "host not found"),
    ],
)
async def test_a_refusal_names_the_reason(policy: NetworkPolicy, host: str, reason: str) -> None:
    with pytest.raises(ToolError, match=reason):
        await policy.resolve(host, 80)


async def test_a_public_host_is_allowed() -> None:
    assert await NetworkPolicy(only_hosts=("1.1.1.1",)).resolve("1.1.1.1", 443) == ["1.1.1.1"]

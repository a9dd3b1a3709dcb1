"""Ways to reach what is not public; none gets through."""

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
from ossia.tools.browser.network.transport import GatedTransport

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

# All of these are read as a private address by a resolver; few look like one.
ENCODED = """
127.1 127.0.1 2130706433 0x7f000001 0x7f.0.0.1 0177.0.0.1 0177.0.0.01 017700000001 0 0x0
localhost LOCALHOST localhost. 127.0.0.1. 2852039166 0xa9fea9fe 0251.0376.0251.0376
"""


@pytest.mark.parametrize("address", PRIVATE.split())
def test_a_private_address_is_known_as_one(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC.split())
def test_a_public_address_is_known_as_one(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("host", (PRIVATE + ENCODED).split())
async def test_no_way_of_writing_it_gets_through(host: str) -> None:
    with pytest.raises(ToolError, match=r"not on the public internet|there is no host"):
        await NetworkPolicy().addresses(host, 80)


async def test_a_name_is_refused_if_one_of_its_addresses_is_private(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers(monkeypatch, [["1.1.1.1", "10.0.0.1"]])
    with pytest.raises(ToolError, match=r"mixed\.example is not on the public internet"):
        await NetworkPolicy().addresses("mixed.example", 80)


def answers(monkeypatch: pytest.MonkeyPatch, each: list[list[str]]) -> None:
    """A name server that gives another answer each time it is asked."""
    left = iter(each)

    def resolve(host: str | bytes, port: int, *args: Any, **options: Any) -> list[Any]:
        name = host.decode() if isinstance(host, bytes) else host
        if name[0].isdigit():
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (name, port))]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in next(left)]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)


@pytest.fixture
async def server() -> AsyncGenerator[tuple[int, list[str]]]:
    """A server on loopback that remembers who came, and redirects /there to a private address."""
    came: list[str] = []

    async def serve(client: SocketStream) -> None:
        async with client:
            request = (await client.receive()).decode()
            came.append(request.split("\r\n", 1)[0])
            port = client.extra(SocketAttribute.local_port)
            head = "HTTP/1.1 200 OK\r\n"
            if " /there " in request:
                head = f"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.2:{port}/secret\r\n"
            await client.send(f"{head}Content-Length: 2\r\nConnection: close\r\n\r\nok".encode())

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, serve)
        yield listener.extra(SocketAttribute.local_port), came
        group.cancel_scope.cancel()


async def test_what_the_user_has_named_is_reached(server: tuple[int, list[str]]) -> None:
    port, came = server
    gate = NetworkPolicy(allow_hosts=(f"127.0.0.1:{port}",))
    async with httpx.AsyncClient(transport=GatedTransport(gate)) as client:
        response = await client.get(f"http://127.0.0.1:{port}/here")
    assert (response.text, came) == ("ok", ["GET /here HTTP/1.1"])


async def test_nothing_else_on_that_machine_is(server: tuple[int, list[str]]) -> None:
    port, came = server
    gate = NetworkPolicy(allow_hosts=("127.0.0.1:1",))
    async with httpx.AsyncClient(transport=GatedTransport(gate)) as client:
        for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433"):
            with pytest.raises(ToolError):
                await client.get(f"http://{host}:{port}/here")
    assert came == []


async def test_a_redirect_goes_through_the_gate_again(server: tuple[int, list[str]]) -> None:
    port, came = server
    gate = NetworkPolicy(allow_hosts=(f"127.0.0.1:{port}",))
    async with httpx.AsyncClient(transport=GatedTransport(gate), follow_redirects=True) as client:
        with pytest.raises(ToolError, match=r"127\.0\.0\.2 is not on the public internet"):
            await client.get(f"http://127.0.0.1:{port}/there")
    assert came == ["GET /there HTTP/1.1"]


async def test_a_name_that_changes_its_mind_is_asked_once(
    server: tuple[int, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    port, came = server
    # The name's first answer leads nowhere, its second would lead to the server.
    answers(monkeypatch, [["127.0.0.3"], ["127.0.0.1"]])
    gate = NetworkPolicy(allow_hosts=(f"rebind.example:{port}",))
    async with httpx.AsyncClient(transport=GatedTransport(gate), timeout=5) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(f"http://rebind.example:{port}/secret")
    assert came == []


@pytest.mark.parametrize(
    ("gate", "host", "said"),
    [
        (NetworkPolicy(deny_hosts=("1.1.1.1",)), "1.1.1.1", "not among the hosts"),
        (NetworkPolicy(deny_hosts=(".example.org",)), "a.b.EXAMPLE.org.", "not among the hosts"),
        (NetworkPolicy(only_hosts=("1.1.1.1",)), "8.8.8.8", "not among the hosts"),
        (NetworkPolicy(only_hosts=(".1.1",)), "127.0.1.1", "not on the public internet"),
        (NetworkPolicy(), "no-such-host.invalid", "there is no host no-such-host.invalid"),
        (NetworkPolicy(), "a" * 300, "there is no host"),
    ],
)
async def test_a_refusal_says_why(gate: NetworkPolicy, host: str, said: str) -> None:
    with pytest.raises(ToolError, match=said):
        await gate.addresses(host, 80)


async def test_a_public_host_is_let_through() -> None:
    assert await NetworkPolicy(only_hosts=("1.1.1.1",)).addresses("1.1.1.1", 443) == ["1.1.1.1"]

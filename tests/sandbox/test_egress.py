"""Network access: HTTP to allowed hosts, through a proxy that the code cannot change."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import anyio
import pytest

from ossia.sandbox import Sandbox
from ossia.sandbox.network.egress import AllowedHost

from .conftest import Kind


class Site(BaseHTTPRequestHandler):
    """A web site that echoes requests."""

    def do_GET(self) -> None:
        self._respond(f"you asked for {self.path}".encode())

    def do_POST(self) -> None:
        self._respond(self.rfile.read(int(self.headers["Content-Length"]))[::-1])

    def _respond(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Proxy-Connection", str(self.headers.get("Proxy-Connection")))
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log nothing."""


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """Run a web site on this machine's loopback; yield `host:port`."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


async def run(sandbox: Sandbox, code: str) -> str:
    done = await sandbox.execute(f"import requests\n{code}", timeout_s=20)
    return done.result or (done.error.message if done.error else "")


async def test_only_allowed_hosts_can_be_reached(kind: Kind, site: str) -> None:
    async with kind(network="egress", allow_hosts=(site,)) as sandbox:
        assert await run(sandbox, f"requests.get('http://{site}/a?b').text") == (
            "'you asked for /a?b'"
        )
        posted = f"requests.post('http://{site}/', data=b'x' * 300_000).text.count('x')"
        assert await run(sandbox, posted) == "300000"
        assert await run(
            sandbox, f"requests.get('http://{site}/').headers['X-Proxy-Connection']"
        ) == ("'None'")
        other = "http://192.0.2.1/"
        assert await run(sandbox, f"requests.get('{other}').status_code") == "403"
        assert "192.0.2.1:80 is not an allowed host" in await run(
            sandbox, f"requests.get('{other}').text"
        )
        assert "403" in await run(sandbox, "requests.get('https://example.org/')")


async def test_nothing_but_the_proxy_can_be_reached(kind: Kind, site: str) -> None:
    async with kind(network="egress", allow_hosts=(site,)) as sandbox:
        host, port = site.split(":")
        direct = f"import socket; socket.create_connection(('{host}', {port}), 3)"
        assert "refused" in await run(sandbox, direct)
        assert "unreachable" in await run(
            sandbox, "import socket; socket.create_connection(('192.0.2.1', 80), 3)"
        )
        # The proxy refuses other hosts, whatever the request looks like.
        for request in (
            f"GET / HTTP/1.1\\r\\nHost: {site}",
            "CONNECT 192.0.2.1:80 HTTP/1.1",
            "\\0",
        ):
            code = f"""
import socket
s = socket.create_connection(('127.0.0.1', 3128), 3); s.settimeout(5)
s.sendall(b'{request}\\r\\n\\r\\n'); s.recv(100).split(b' ')[1]
"""
            assert await run(sandbox, code) in {"b'400'", "b'403'"}


async def test_a_tunnel_relays_bytes_in_both_directions(kind: Kind, site: str) -> None:
    code = f"""
import socket
s = socket.create_connection(('127.0.0.1', 3128), 3); s.settimeout(5)
s.sendall(b'CONNECT {site} HTTP/1.1\\r\\n\\r\\n'); opened = s.recv(100)
s.sendall(b'GET /through HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n')
answer = b''
while part := s.recv(4096): answer += part
opened.split(b' ')[1], answer.rpartition(b' ')[2]
"""
    async with kind(network="egress", allow_hosts=(site,)) as sandbox:
        assert await run(sandbox, code) == "(b'200', b'/through')"


async def test_many_connections_at_once_work(kind: Kind, site: str) -> None:
    code = f"""
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(20) as pool:
    texts = list(pool.map(lambda i: requests.get('http://{site}/' + str(i)).text, range(100)))
texts == [f'you asked for /{{i}}' for i in range(100)]
"""
    async with kind(network="egress", allow_hosts=(site,)) as sandbox:
        assert await run(sandbox, code) == "True"


async def test_a_name_that_resolves_to_a_private_address_is_refused(kind: Kind) -> None:
    async with kind(network="egress", allow_hosts=("localhost",)) as sandbox:
        text = await run(sandbox, "requests.get('http://localhost/', proxies=None).text")
        asked = "requests.Session().request('GET', 'http://localhost./').text"
        assert "private address" in text + await run(sandbox, asked)


@pytest.mark.parametrize("address", ["168.63.129.16", "64:ff9b::7f00:1", "2002:7f00:1::"])
async def test_a_name_that_resolves_to_a_disguised_private_address_is_refused(
    kind: Kind, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def resolve(*_: object, **__: object) -> list[object]:
        return [(0, 0, 0, "", (address, 80))]

    async with kind(network="egress", allow_hosts=("metadata.example",)) as sandbox:
        monkeypatch.setattr("ossia.sandbox.network.egress.anyio.getaddrinfo", resolve)
        text = await run(sandbox, "requests.get('http://metadata.example/').text")
    assert "private address" in text


def divide_by_zero(stream: str, text: str) -> None:
    _ = 1 // 0


async def test_errors_keep_their_class_with_network_access(kind: Kind) -> None:
    async with kind(network="egress") as sandbox:
        with anyio.move_on_after(0.2) as scope:
            await sandbox.execute("while True: pass")
        assert scope.cancelled_caught
        assert (await sandbox.execute("1 / 0")).error is not None
        with pytest.raises(ZeroDivisionError):
            await sandbox.execute("print(1)", on_output=divide_by_zero)


@pytest.mark.parametrize(
    ("entry", "host", "port", "passes"),
    [
        ("pypi.org", "pypi.org", 443, True),
        ("PyPI.org", "pypi.org", 80, True),
        ("pypi.org", "pypi.org", 22, False),
        ("pypi.org", "evil-pypi.org", 443, False),
        ("pypi.org", "pypi.org.evil.com", 443, False),
        ("pypi.org", "files.pypi.org", 443, False),
        ("*.debian.org", "deb.debian.org", 80, True),
        ("*.debian.org", "debian.org", 80, False),
        ("*.debian.org", "evildebian.org", 80, False),
        ("10.0.0.7:8080", "10.0.0.7", 8080, True),
        ("10.0.0.7:8080", "10.0.0.7", 80, False),
        ("[2001:db8::1]:8080", "2001:db8::1", 8080, True),
        ("2001:db8::1", "2001:db8::1", 443, True),
    ],
)
def test_an_entry_allows_what_it_names(entry: str, host: str, port: int, passes: bool) -> None:
    assert AllowedHost.parse(entry).matches(host, port) is passes


@pytest.mark.parametrize("entry", ["", "*", "http://x.org", "a b", "pypi.org/x", "a:b", "*.*.x"])
def test_an_entry_that_is_not_a_host_is_refused(entry: str) -> None:
    with pytest.raises(ValueError, match="is not a host"):
        AllowedHost.parse(entry)

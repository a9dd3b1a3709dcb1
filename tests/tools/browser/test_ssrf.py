"""Attempts to reach private servers, over plain HTTP and in a real Chromium. None succeeds.

Each attempt runs twice: once where it is allowed, to show that it works, and once where it is not.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncGenerator, Awaitable, Callable

import anyio
import pytest
from anyio.abc import ByteStream

from ossia.errors import ToolError
from ossia.tools import Chromium
from ossia.tools.browser.fetch import chromium as chromium_module
from ossia.tools.browser.fetch.http import HttpFetcher
from ossia.tools.browser.fetch.page_fetcher import FetchMethod, PageFetcher
from ossia.tools.browser.network.network_policy import NetworkPolicy
from tests.tools.browser.site import Response, Site, head, open_site
from tests.tools.browser.test_network_policy import ENCODED, PRIVATE, fake_dns

LOOPBACK = """
127.0.0.1 127.1 127.0.1 2130706433 0x7f000001 0x7f.0.0.1 0177.0.0.1 017700000001 127.0.0.1.
localhost LOCALHOST localhost. 127.1.2.3 0.0.0.0 0 0x0 ①②⑦.⓪.⓪.① 127。0。0。1 %31%32%37.0.0.1
[::] [::ffff:127.0.0.1] [::ffff:7f00:1] [0:0:0:0:0:ffff:127.0.0.1] user:pw@127.0.0.1
example.org@127.0.0.1 127.0.0.1#@8.8.8.8
"""
"""Each of these is this machine."""


@pytest.fixture
async def secret() -> AsyncGenerator[Site]:
    """Yield a site that must not be reached. It records every connection."""
    async with open_site({"/": "<p>secret"}, all_interfaces=True) as site:
        policy = NetworkPolicy(allow_hosts=("127.0.0.1", "::1"))
        for host in ("127.0.0.1", "[::1]"):
            await HttpFetcher(policy).fetch(f"http://{host}:{site.port}/")
        assert site.visited == ["/", "/"]
        site.visited.clear()
        yield site


def url_of(host: str, port: int, path: str = "/") -> str:
    """Return a URL with the port in the right place."""
    name, hash_sign, rest = host.partition("#")
    return f"http://{name}:{port}{path}{hash_sign}{rest}"


@pytest.mark.parametrize("host", [*LOOPBACK.split(), *PRIVATE.split(), *ENCODED.split()])
async def test_no_notation_of_an_address_reaches_it(host: str, secret: Site) -> None:
    shown = f"[{host}]" if ":" in host and not host.startswith("[") and "@" not in host else host
    with pytest.raises(ToolError, match="Error fetching URL"):
        await HttpFetcher(fetch_s=5).fetch(url_of(shown, secret.port))
    assert secret.visited == []


@pytest.mark.parametrize("status", ["301", "302", "303", "307", "308"])
@pytest.mark.parametrize("target", ["http://127.0.0.1:{}/", "//localhost:{}/", "http://[::1]:{}/"])
async def test_no_redirect_reaches_it(status: str, target: str, secret: Site) -> None:
    location = target.format(secret.port)
    async with open_site({"/": head(status=status, Location=location)}) as site:
        http = HttpFetcher(NetworkPolicy(allow_hosts=(f"127.0.0.1:{site.port}",)))
        with pytest.raises(ToolError, match="not on the public internet"):
            await http.fetch(site.root)
    assert secret.visited == []


ATTEMPTS = """
<script src=URL></script>
<link rel=stylesheet href=URL>
<link rel=prefetch href=URL>
<link rel=preload as=fetch crossorigin href=URL>
<link rel=modulepreload href=URL>
<link rel=manifest href=URL>
<iframe src=URL></iframe>
<iframe srcdoc="<script src='URL'></script>"></iframe>
<iframe srcdoc="<meta http-equiv=refresh content='0; url=URL'>"></iframe>
<iframe src="/redirect?URL"></iframe>
<iframe src="data:text/html,<script src='URL'></script>"></iframe>
<object data=URL></object>
<embed src=URL>
<style>@import url(URL);</style>
<script type=module src=URL></script>
<script type=module>import "URL"</script>
<script>import("URL").catch(() => 0)</script>
<script>fetch("URL", {mode: "no-cors"})</script>
<script>fetch("URL").catch(() => 0)</script>
<script>fetch("URL", {method: "POST", mode: "no-cors", body: "x"})</script>
<script>fetch("/redirect?URL", {mode: "no-cors"})</script>
<script>fetch("URL", {keepalive: true, mode: "no-cors"})</script>
<script>let x = new XMLHttpRequest(); x.open("GET", "URL"); x.send()</script>
<script>let y = new XMLHttpRequest(); y.open("PUT", "URL"); y.send("x")</script>
<script>navigator.sendBeacon("URL", "x")</script>
<script>new EventSource("URL")</script>
<script>new WebSocket("URL".replace("http", "ws"))</script>
<script>new Worker(URL_OF(`fetch("URL", {mode: "no-cors"})`))</script>
<script>new Worker(URL_OF(`try { importScripts("URL") } catch (e) {}`))</script>
<script>new Worker(URL_OF(`new WebSocket("URL".replace("http", "ws"))`))</script>
<script>new SharedWorker(URL_OF(`fetch("URL", {mode: "no-cors"})`))</script>
<iframe name=a></iframe><form action=URL target=a></form><script>document.forms[0].submit()</script>
<iframe name=b></iframe><a id=b href=URL target=b></a><script>document.links[0].click()</script>
<iframe id=c></iframe><script>c.contentWindow.location = "URL"</script>
<iframe id=d></iframe><script>d.contentDocument.write("<script src='URL'></scr" + "ipt>")</script>
<iframe sandbox=allow-scripts srcdoc="<script>fetch('URL', {mode: 'no-cors'})</script>"></iframe>
<script>open("URL")</script>
<svg><use href="/redirect?URL#x"></use></svg>
""".strip().splitlines()
# A function for the workers above that returns the URL of a blob.
SCRIPT = "<script>URL_OF = text => URL.createObjectURL(new Blob([text]))</script>"


ENOUGH = 30
"""Attempts that must succeed where they are allowed. Some need another version of Chromium."""


def page_of_attempts(port: int) -> str:
    """Return a page with all attempts, each to its own path."""
    address = "http://127.0.0.1:{}/attempt-{}"
    attempts = (
        attempt.replace("URL_OF", "\0")
        .replace("URL", address.format(port, at))
        .replace("\0", "URL_OF")
        for at, attempt in enumerate(ATTEMPTS)
    )
    return SCRIPT + "\n".join(attempts) + "<p>" + "text " * 100


@pytest.fixture
def patient(chromium: Chromium, monkeypatch: pytest.MonkeyPatch) -> Chromium:
    """Return a browser that waits until a page has loaded completely."""
    monkeypatch.setattr(chromium, "load_s", 30)
    monkeypatch.setattr(chromium_module, "NETWORK_IDLE_S", 30)
    return chromium


HOLD = "<script>fetch('/hold')</script>"
"""Keeps a page loading until the site responds to this request."""


def respond_after(secret: Site, count: int) -> Callable[[ByteStream], Awaitable[None]]:
    """Return a handler that responds once this many paths of the secret site were requested."""

    async def hold(client: ByteStream) -> None:
        with anyio.move_on_after(25):
            await secret.wait_for_paths(count)
        await client.send(head())

    return hold


@pytest.mark.chromium
@pytest.mark.timeout(180)
async def test_no_part_of_a_page_reaches_it(patient: Chromium, secret: Site) -> None:
    redirects = {
        f"/redirect?http://127.0.0.1:{secret.port}/attempt-{at}": head(
            status="302 Found", Location=f"http://127.0.0.1:{secret.port}/attempt-{at}"
        )
        for at in range(len(ATTEMPTS))
    }

    page = page_of_attempts(secret.port)
    with_hold: dict[str, Response] = {
        "/with-hold": page + HOLD,
        "/hold": respond_after(secret, ENOUGH),
    }
    async with open_site({"/": page, **with_hold, **redirects}) as site:
        here = (f"127.0.0.1:{site.port}",)
        allowing = NetworkPolicy(allow_hosts=(*here, f"127.0.0.1:{secret.port}"))
        await patient.load(f"{site.root}/with-hold", allowing)
        reached = set(secret.visited)
        assert len([at for at in range(len(ATTEMPTS)) if f"/attempt-{at}" in reached]) >= ENOUGH
        secret.visited.clear()
        document = await patient.load(site.root, NetworkPolicy(allow_hosts=here))
    assert secret.visited == []
    assert document is not None
    assert "text text" in document.text


@pytest.mark.chromium
@pytest.mark.timeout(120)
async def test_no_notation_of_an_address_reaches_it_in_chromium(
    patient: Chromium, secret: Site
) -> None:
    hosts = [host for host in LOOPBACK.split() if "@" not in host]
    frames = "".join(
        f"<iframe src='{url_of(host, secret.port, f'/{at}')}'></iframe>"
        for at, host in enumerate(hosts)
    )
    with_hold: dict[str, Response] = {
        "/with-hold": frames + HOLD,
        "/hold": respond_after(secret, 20),
    }
    async with open_site({"/": frames, **with_hold}) as site:
        here = f"127.0.0.1:{site.port}"
        names = ("127.0.0.1", "localhost", "127.1.2.3", "0.0.0.0", "::", "::ffff:7f00:1")
        await patient.load(f"{site.root}/with-hold", NetworkPolicy(allow_hosts=(here, *names)))
        reached = set(secret.visited)
        assert len([at for at in range(len(hosts)) if f"/{at}" in reached]) >= 20
        secret.visited.clear()
        await patient.load(site.root, NetworkPolicy(allow_hosts=(here,)))
    assert secret.visited == []


@pytest.mark.chromium
@pytest.mark.timeout(120)
@pytest.mark.parametrize("method", ["http", "chromium"])
async def test_dns_rebinding_is_refused(
    method: FetchMethod, chromium: Chromium, secret: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A documentation address at the first lookup, and this machine at all later ones.
    fake_dns(monkeypatch, [["203.0.113.7"], *[["127.0.0.1"]] * 20])
    fetcher = PageFetcher(HttpFetcher(NetworkPolicy(), fetch_s=5), chromium, method)
    with pytest.raises(ToolError, match=r"rebind\.example is not on the public internet"):
        await fetcher.fetch(f"http://rebind.example:{secret.port}/")
    assert secret.visited == []


@pytest.mark.chromium
@pytest.mark.timeout(120)
async def test_nothing_bypasses_the_proxy(chromium: Chromium) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.setblocking(False)
        port = listener.getsockname()[1]
        page = f"""<body><script>
        let peer = new RTCPeerConnection({{iceServers: [{{urls: "stun:127.0.0.1:{port}"}}]}});
        peer.createDataChannel("x");
        peer.createOffer().then(offer => peer.setLocalDescription(offer));
        try {{ new WebTransport("https://127.0.0.1:{port}/").ready.catch(() => 0) }} catch (e) {{}}
        document.write("attempted")
        </script>"""
        async with open_site({"/": page}) as site:
            policy = NetworkPolicy(allow_hosts=(f"127.0.0.1:{site.port}",))
            document = await chromium.load(site.root, policy)
        assert document is not None
        assert "attempted" in document.text
        with pytest.raises(BlockingIOError):
            listener.recv(1)

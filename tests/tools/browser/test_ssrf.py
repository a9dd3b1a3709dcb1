"""Ways to reach what is not public, by plain HTTP and in a real Chromium; none gets through.

Each way is tried twice: where it is allowed, to see that it is a way at all, and where it is not.
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
from ossia.tools.browser.fetch.http import Http
from ossia.tools.browser.fetch.pages import Pages
from ossia.tools.browser.network.network_policy import NetworkPolicy
from tests.tools.browser.site import Response, Site, head, open_site
from tests.tools.browser.test_gate import ENCODED, PRIVATE, answers

LOOPBACK = """
127.0.0.1 127.1 127.0.1 2130706433 0x7f000001 0x7f.0.0.1 0177.0.0.1 017700000001 127.0.0.1.
localhost LOCALHOST localhost. 127.1.2.3 0.0.0.0 0 0x0 ①②⑦.⓪.⓪.① 127。0。0。1 %31%32%37.0.0.1
[::] [::ffff:127.0.0.1] [::ffff:7f00:1] [0:0:0:0:0:ffff:127.0.0.1] user:pw@127.0.0.1
example.org@127.0.0.1 127.0.0.1#@8.8.8.8
"""
"""All of these are this very machine."""


@pytest.fixture
async def secret() -> AsyncGenerator[Site]:
    """What nobody may see: it counts every connection that is made to it."""
    async with open_site({"/": "<p>secret"}, everywhere=True) as site:
        gate = NetworkPolicy(allow_hosts=("127.0.0.1", "::1"))
        for host in ("127.0.0.1", "[::1]"):
            await Http(gate).get(f"http://{host}:{site.port}/")
        assert site.came == ["/", "/"]
        site.came.clear()
        yield site


def written(host: str, port: int, path: str = "/") -> str:
    """An address, the port in its place."""
    name, mark, rest = host.partition("#")
    return f"http://{name}:{port}{path}{mark}{rest}"


@pytest.mark.parametrize("host", [*LOOPBACK.split(), *PRIVATE.split(), *ENCODED.split()])
async def test_no_way_of_writing_an_address_leads_there(host: str, secret: Site) -> None:
    shown = f"[{host}]" if ":" in host and not host.startswith("[") and "@" not in host else host
    with pytest.raises(ToolError, match="Error fetching URL"):
        await Http(fetch_s=5).get(written(shown, secret.port))
    assert secret.came == []


@pytest.mark.parametrize("status", ["301", "302", "303", "307", "308"])
@pytest.mark.parametrize("target", ["http://127.0.0.1:{}/", "//localhost:{}/", "http://[::1]:{}/"])
async def test_no_redirect_leads_there(status: str, target: str, secret: Site) -> None:
    location = target.format(secret.port)
    async with open_site({"/": head(status=status, Location=location)}) as site:
        http = Http(NetworkPolicy(allow_hosts=(f"127.0.0.1:{site.port}",)))
        with pytest.raises(ToolError, match="not on the public internet"):
            await http.get(site.root)
    assert secret.came == []


WAYS = """
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
# A blob's URL, as a function for the workers above.
SCRIPT = "<script>URL_OF = text => URL.createObjectURL(new Blob([text]))</script>"


ENOUGH = 30


def page_of_ways(port: int) -> str:
    """All the ways in one page, each to a path of its own."""
    address = "http://127.0.0.1:{}/way-{}"
    ways = (
        way.replace("URL_OF", "\0").replace("URL", address.format(port, at)).replace("\0", "URL_OF")
        for at, way in enumerate(WAYS)
    )
    return SCRIPT + "\n".join(ways) + "<p>" + "said " * 100


@pytest.fixture
def patient(chromium: Chromium, monkeypatch: pytest.MonkeyPatch) -> Chromium:
    """A browser that waits until a page has loaded all that it wants to."""
    monkeypatch.setattr(chromium, "load_s", 30)
    monkeypatch.setattr(chromium_module, "QUIET_S", 30)
    return chromium


HELD = "<script>fetch('/hold')</script>"
"""Keeps a page from being whole until the site answers that."""


def until(secret: Site, count: int) -> Callable[[ByteStream], Awaitable[None]]:
    """Answers when so many ways have led there."""

    async def hold(client: ByteStream) -> None:
        with anyio.move_on_after(25):
            await secret.seen(count)
        await client.send(head())

    return hold


@pytest.mark.chromium
@pytest.mark.timeout(180)
async def test_no_part_of_a_page_leads_there(patient: Chromium, secret: Site) -> None:
    moved = {
        f"/redirect?http://127.0.0.1:{secret.port}/way-{at}": head(
            status="302 Found", Location=f"http://127.0.0.1:{secret.port}/way-{at}"
        )
        for at in range(len(WAYS))
    }

    page = page_of_ways(secret.port)
    held: dict[str, Response] = {"/held": page + HELD, "/hold": until(secret, ENOUGH)}
    async with open_site({"/": page, **held, **moved}) as site:
        here = (f"127.0.0.1:{site.port}",)
        open_gate = NetworkPolicy(allow_hosts=(*here, f"127.0.0.1:{secret.port}"))
        await patient.load(f"{site.root}/held", open_gate)
        reached = set(secret.came)
        # Some of them are no ways in the Chromium at hand.
        assert len([at for at in range(len(WAYS)) if f"/way-{at}" in reached]) >= ENOUGH
        secret.came.clear()
        document = await patient.load(site.root, NetworkPolicy(allow_hosts=here))
    assert secret.came == []
    assert document is not None
    assert "said said" in document.text


@pytest.mark.chromium
@pytest.mark.timeout(120)
async def test_no_way_of_writing_an_address_leads_there_in_chromium(
    patient: Chromium, secret: Site
) -> None:
    hosts = [host for host in LOOPBACK.split() if "@" not in host]
    frames = "".join(
        f"<iframe src='{written(host, secret.port, f'/{at}')}'></iframe>"
        for at, host in enumerate(hosts)
    )
    held: dict[str, Response] = {"/held": frames + HELD, "/hold": until(secret, 20)}
    async with open_site({"/": frames, **held}) as site:
        here = f"127.0.0.1:{site.port}"
        names = ("127.0.0.1", "localhost", "127.1.2.3", "0.0.0.0", "::", "::ffff:7f00:1")
        await patient.load(f"{site.root}/held", NetworkPolicy(allow_hosts=(here, *names)))
        reached = set(secret.came)
        assert len([at for at in range(len(hosts)) if f"/{at}" in reached]) >= 20
        secret.came.clear()
        await patient.load(site.root, NetworkPolicy(allow_hosts=(here,)))
    assert secret.came == []


@pytest.mark.chromium
@pytest.mark.timeout(120)
@pytest.mark.parametrize("by", ["http", "chromium"])
async def test_a_name_that_changes_its_mind_leads_nowhere(
    by: str, chromium: Chromium, secret: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Public when it is looked at, and this machine ever after.
    answers(monkeypatch, [["203.0.113.7"], *[["127.0.0.1"]] * 20])
    pages = Pages(
        Http(NetworkPolicy(), fetch_s=5), chromium, "http" if by == "http" else "chromium"
    )
    with pytest.raises(ToolError, match=r"rebind\.example is not on the public internet"):
        await pages.fetch(f"http://rebind.example:{secret.port}/")
    assert secret.came == []


@pytest.mark.chromium
@pytest.mark.timeout(120)
async def test_nothing_leaves_beside_the_proxy(chromium: Chromium) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.setblocking(False)
        port = listener.getsockname()[1]
        page = f"""<body><script>
        let peer = new RTCPeerConnection({{iceServers: [{{urls: "stun:127.0.0.1:{port}"}}]}});
        peer.createDataChannel("x");
        peer.createOffer().then(offer => peer.setLocalDescription(offer));
        try {{ new WebTransport("https://127.0.0.1:{port}/").ready.catch(() => 0) }} catch (e) {{}}
        document.write("tried")
        </script>"""
        async with open_site({"/": page}) as site:
            gate = NetworkPolicy(allow_hosts=(f"127.0.0.1:{site.port}",))
            document = await chromium.load(site.root, gate)
        assert document is not None
        assert "tried" in document.text
        with pytest.raises(BlockingIOError):
            listener.recv(1)

"""Pages in a real Chromium, from friendly and from hostile servers."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.abc import ByteStream

from ossia.errors import BrowserUnavailableError, ToolError
from ossia.harmony import Message
from ossia.tools import BrowserTool, Chromium, Toolbox
from ossia.tools.browser.fetch.http import HttpFetcher
from ossia.tools.browser.fetch.page_fetcher import FetchMethod, PageFetcher
from ossia.tools.browser.network import proxy
from ossia.tools.browser.network.network_policy import NetworkPolicy
from ossia.tools.browser.text.page import Page
from tests.tools.browser.site import Site, head, open_site

pytestmark = [pytest.mark.chromium, pytest.mark.timeout(180)]

SCRIPTED = """<title>Shop</title><div id=root></div><script>
document.getElementById("root").innerHTML = "<h1>Price</h1><p>It is <a href=x>42</a>.</p>";
</script>"""
COMPONENTS = """<title>C</title><my-card>Slotted <b slot=x>Eve</b></my-card><script>
const define = (name, html) => customElements.define(name, class extends HTMLElement {
  constructor() { super(); this.attachShadow({ mode: "open" }).innerHTML = html; }
});
define("my-word", "here");
define("my-card", "<h1>Card <slot name=x></slot></h1><p>In it: <slot></slot><my-word></my-word>");
</script>"""
STATIC = "<title>S</title><p>" + "All of it is here. " * 30 + "<script>1</script>"
DECORATED = """<title>L</title><style>
@font-face { font-family: f; src: url(/font.woff) } body { font-family: f }
p { background: url(/background.png) }</style>
<p>text</p><img src=/image.png><video src=/film.mp4 autoplay></video><audio src=/song.mp3 autoplay>
</audio><script>new Image().src = "/beacon.png"; fetch("/data.json")</script>"""


def fetcher(chromium: Chromium, method: FetchMethod = "auto") -> PageFetcher:
    return PageFetcher(HttpFetcher(NetworkPolicy(allow_hosts=("127.0.0.1",))), chromium, method)


async def fetch(html: str, chromium: Chromium, method: FetchMethod = "chromium") -> Page:
    async with open_site({"/": html}) as site:
        return await fetcher(chromium, method).fetch(site.root)


async def test_a_page_is_read_after_its_scripts_have_run(chromium: Chromium) -> None:
    page = await fetch(SCRIPTED, chromium, "auto")
    assert (page.title, page.text) == ("Shop", "# Price\n\nIt is 【0†42】.")


async def test_web_components_are_read(chromium: Chromium) -> None:
    """Nested shadow trees, and the nodes in their slots."""
    assert (await fetch(COMPONENTS, chromium, "auto")).text == "# Card Eve\n\nIn it: Slotted here"
    declared = "<template shadowrootmode=open><p>Declared <slot></slot>.</template>text"
    assert "Declared text." in (await fetch(f"<my-x>{declared}</my-x>", chromium)).text


async def test_without_scripts_the_page_is_empty(chromium: Chromium) -> None:
    page = await fetch(SCRIPTED, chromium, "http")
    assert page.text == "[This page is empty. The HTTP status is 200.]"


async def test_a_page_with_enough_text_needs_no_browser() -> None:
    page = await fetch(STATIC, Chromium("/no/such/browser"), "auto")
    assert page.text.startswith("All of it is here.")


async def test_without_a_browser_the_page_says_what_is_missing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    page = await fetch(SCRIPTED, Chromium("/no/such/browser"), "auto")
    assert page.text == (
        "[This page needs JavaScript, which was not run: no browser is installed.]"
    )
    (record,) = [record for record in caplog.records if record.name == "ossia.tools.browser"]
    assert record.getMessage() == (
        "scripts_skipped reason=\"no program found at '/no/such/browser'\""
    )


async def test_a_tool_that_needs_a_browser_raises_without_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(BrowserUnavailableError, match="apt-get install chromium"):
        async with Toolbox([BrowserTool(fetch="chromium")]):
            raise AssertionError
    with pytest.raises(BrowserUnavailableError, match="/bin/false did not start"):
        async with Chromium("/bin/false") as broken:
            await broken.load("http://127.0.0.1/", NetworkPolicy())


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>before<script>while (true);</script><p>after", "before"),
        ("<p>text<script>while (true) alert(1)</script>", "text"),
        ("<p>text<script>setInterval(() => { alert(1); confirm(2); prompt(3) })</script>", "text"),
        ("<p>text<script>onbeforeunload = () => 'stay'</script>", "text"),
        ("<p>text<script>setInterval(() => open('/'), 5)</script>", "text"),
        ("<p>text<script>setInterval(() => fetch('/x'), 5)</script>", "text"),
        ("<p>text<script>location = 'file:///etc/passwd'</script>", "text"),
        ("<p>text<script>location = 'chrome://crash'</script>", "text"),
        ("<script>document.write(navigator.webdriver, alert(1), confirm(1))</script>", "false"),
        (
            "<p>text<script>setTimeout(() => document.body.append(' late'), 300)</script>",
            "late",
        ),
    ],
)
async def test_a_page_whose_scripts_never_end_is_read_as_it_is(
    html: str, text: str, chromium: Chromium
) -> None:
    assert text in (await fetch(html, chromium)).text


async def test_a_page_that_crashes_does_not_affect_other_pages(chromium: Chromium) -> None:
    hog = "<p>x<script>let a = []; while (true) a.push(new Array(1e7).fill(1.5))</script>"
    with pytest.raises(ToolError, match="the page's scripts crashed the browser"):
        await fetch(hog, chromium)
    assert (await fetch(hog, chromium, "auto")).text == (
        "x\n\n[This page needs JavaScript, which was not run: the page's scripts crashed the "
        "browser.]"
    )
    assert (await fetch("<p>well", chromium)).text == "well"


async def test_images_fonts_and_media_are_not_loaded(chromium: Chromium) -> None:
    async with open_site({"/": DECORATED, "/data.json": "{}"}) as site:
        await fetcher(chromium, "chromium").fetch(site.root)
    assert set(site.visited) - {"/favicon.ico"} == {"/", "/data.json"}


async def test_pages_do_not_share_cookies(chromium: Chromium) -> None:
    page = (
        "<body><script>document.write('was: ' + document.cookie); document.cookie = 'a=1'</script>"
    )
    async with open_site({"/": page}) as site:
        for _ in range(2):
            assert (await fetcher(chromium, "chromium").fetch(site.root)).text == "was:"


async def drip(client: ByteStream) -> None:
    await client.send(head() + b"<p>the beginning")
    await anyio.sleep_forever()


async def endless(client: ByteStream) -> None:
    await client.send(head())
    while True:
        await client.send(b"<p>" + b"word " * 20_000)


async def silent(client: ByteStream) -> None:
    await anyio.sleep_forever()


async def zip_file(client: ByteStream) -> None:
    await client.send(head("application/zip", Content_Disposition="attachment") + b"PK\x03\x04")


UNUSUAL: dict[str, Any] = {
    "/drip": drip,
    "/endless": endless,
    "/silent": silent,
    "/zip": zip_file,
    "/loop": head(status="302 Found", Location="/loop"),
    "/refresh": "<meta http-equiv=refresh content='0; url=/goal'>",
    "/script": "<script>location.replace('/goal')</script>",
    "/goal": "<p>the goal",
    "/text": head("text/plain") + b"plain <b>text",
}


@pytest.fixture(scope="module")
async def unusual_site() -> AsyncGenerator[Site]:
    async with open_site(UNUSUAL) as site:
        yield site


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/drip", "the beginning"),
        ("/refresh", "the goal"),
        ("/script", "the goal"),
        ("/text", "plain <b>"),
    ],
)
async def test_unusual_responses_are_read(
    path: str, text: str, unusual_site: Site, chromium: Chromium
) -> None:
    assert text in (await fetcher(chromium, "chromium").fetch(unusual_site.root + path)).text


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/loop", "ERR_TOO_MANY_REDIRECTS"),
        ("/silent", "timed out after 4 seconds"),
        ("/nothing", "the server returned HTTP status 404|ERR_HTTP_RESPONSE_CODE_FAILURE"),
        ("/zip", "unsupported content type: application/zip"),
    ],
)
async def test_unreadable_responses_raise_with_the_reason(
    path: str, reason: str, unusual_site: Site, chromium: Chromium
) -> None:
    with pytest.raises(ToolError, match=reason) as raised:
        await fetcher(chromium, "chromium").fetch(unusual_site.root + path)
    assert str(raised.value).startswith(f"Error fetching URL `{unusual_site.root}{path}`: ")


async def test_an_endless_page_is_read_up_to_its_limit(
    unusual_site: Site, chromium: Chromium, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proxy, "MAX_BYTES", 1_000_000)
    page = await fetcher(chromium, "chromium").fetch(unusual_site.root + "/endless")
    assert 900_000 < len(page.text) < 1_000_000


@pytest.fixture(scope="module")
def self_signed(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    folder: Path = tmp_path_factory.mktemp("tls")
    command = "openssl req -x509 -newkey rsa:2048 -nodes -keyout key -out cert -subj /CN=127.0.0.1"
    subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "cert", folder / "key")
    return context


@pytest.mark.parametrize("method", ["http", "chromium"])
async def test_an_untrusted_certificate_is_refused(
    method: FetchMethod, self_signed: ssl.SSLContext, chromium: Chromium
) -> None:
    async with open_site({"/": "<p>x"}, tls=self_signed) as site:
        with pytest.raises(ToolError, match=r"(?i)certificate|CERT_AUTHORITY_INVALID"):
            await fetcher(chromium, method).fetch(site.root)


async def test_a_crashed_browser_is_restarted(chromium: Chromium) -> None:
    requested = anyio.Event()

    async def hang_once(client: ByteStream) -> None:
        if requested.is_set():
            await client.send(head() + b"<p>there")
        else:
            requested.set()
            await anyio.sleep_forever()

    texts: list[str] = []
    async with open_site({"/": hang_once}) as site, anyio.create_task_group() as group:

        async def visit() -> None:
            texts.append((await fetcher(chromium, "chromium").fetch(site.root)).text)

        group.start_soon(visit)
        with anyio.fail_after(30):
            await requested.wait()
        browser = await chromium.start()
        session: Any = await browser.new_browser_cdp_session()
        with pytest.raises(Exception, match=r"closed|crashed"):
            await session.send("Browser.crash")
    assert texts == ["there"]


async def test_a_run_starts_and_stops_its_own_browser() -> None:
    async with (
        open_site({"/": SCRIPTED}) as site,
        Toolbox([BrowserTool(allow_hosts=[f"127.0.0.1:{site.port}"])]) as tools,
    ):
        arguments = f'{{"id": "{site.root}"}}'
        opened = (
            await tools.call(
                Message("assistant", arguments, channel="analysis", recipient="browser.open")
            )
        ).message
    assert "It is 【0†42】." in opened.text

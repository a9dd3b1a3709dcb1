"""Pages through a real Chromium, from servers that mean well and from those that do not."""

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
from ossia.tools.browser.fetch.http import Http
from ossia.tools.browser.fetch.pages import Fetch, Pages
from ossia.tools.browser.network import proxy
from ossia.tools.browser.network.network_policy import NetworkPolicy
from ossia.tools.browser.text.page import Page
from tests.tools.browser.site import Site, head, open_site

pytestmark = [pytest.mark.chromium, pytest.mark.timeout(180)]

BUILT = """<title>Shop</title><div id=root></div><script>
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
LOOKS = """<title>L</title><style>
@font-face { font-family: f; src: url(/font.woff) } body { font-family: f }
p { background: url(/background.png) }</style>
<p>text</p><img src=/image.png><video src=/film.mp4 autoplay></video><audio src=/song.mp3 autoplay>
</audio><script>new Image().src = "/beacon.png"; fetch("/data.json")</script>"""


def pages(chromium: Chromium, by: Fetch = "auto") -> Pages:
    return Pages(Http(NetworkPolicy(allow_hosts=("127.0.0.1",))), chromium, by)


async def shown(page: str, chromium: Chromium, by: Fetch = "chromium") -> Page:
    async with open_site({"/": page}) as site:
        return await pages(chromium, by).fetch(site.root)


async def test_a_page_that_scripts_build_is_read_as_built(chromium: Chromium) -> None:
    page = await shown(BUILT, chromium, "auto")
    assert (page.title, page.text) == ("Shop", "# Price\n\nIt is 【0†42】.")


async def test_components_are_laid_open(chromium: Chromium) -> None:
    """Shadow trees, in one another too, and what is put into their slots."""
    assert (await shown(COMPONENTS, chromium, "auto")).text == "# Card Eve\n\nIn it: Slotted here"
    declared = "<template shadowrootmode=open><p>Declared <slot></slot>.</template>text"
    assert "Declared text." in (await shown(f"<my-x>{declared}</my-x>", chromium)).text


async def test_without_scripts_it_is_empty(chromium: Chromium) -> None:
    assert (await shown(BUILT, chromium, "http")).text == ""


async def test_a_page_that_says_enough_needs_no_browser() -> None:
    page = await shown(STATIC, Chromium("/no/such/browser"), "auto")
    assert page.text.startswith("All of it is here.")


async def test_without_a_browser_the_model_is_told_what_is_missing() -> None:
    page = await shown(BUILT, Chromium("/no/such/browser"), "auto")
    assert page.text == (
        "[This page is built by its scripts, and they were not run: no browser is here to run "
        "them.]"
    )


async def test_without_a_browser_a_tool_that_needs_one_says_so(
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
    ("page", "said"),
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
async def test_a_page_that_does_not_let_go_is_read_as_it_stands(
    page: str, said: str, chromium: Chromium
) -> None:
    assert said in (await shown(page, chromium)).text


async def test_a_page_whose_scripts_crash_it_harms_no_other(chromium: Chromium) -> None:
    hog = "<p>x<script>let a = []; while (true) a.push(new Array(1e7).fill(1.5))</script>"
    with pytest.raises(ToolError, match="its scripts crash the browser"):
        await shown(hog, chromium)
    assert (await shown(hog, chromium, "auto")).text == (
        "x\n\n[This page is built by its scripts, and they were not run: its scripts crash the "
        "browser.]"
    )
    assert (await shown("<p>well", chromium)).text == "well"


async def test_what_makes_the_looks_of_a_page_is_not_loaded(chromium: Chromium) -> None:
    async with open_site({"/": LOOKS, "/data.json": "{}"}) as site:
        await pages(chromium, "chromium").fetch(site.root)
    assert set(site.came) - {"/favicon.ico"} == {"/", "/data.json"}


async def test_no_page_knows_what_another_has_stored(chromium: Chromium) -> None:
    page = (
        "<body><script>document.write('was: ' + document.cookie); document.cookie = 'a=1'</script>"
    )
    async with open_site({"/": page}) as site:
        for _ in range(2):
            assert (await pages(chromium, "chromium").fetch(site.root)).text == "was:"


async def drip(client: ByteStream) -> None:
    await client.send(head() + b"<p>the beginning")
    await anyio.sleep_forever()


async def endless(client: ByteStream) -> None:
    await client.send(head())
    while True:
        await client.send(b"<p>" + b"word " * 20_000)


async def silent(client: ByteStream) -> None:
    await anyio.sleep_forever()


async def packed(client: ByteStream) -> None:
    await client.send(head("application/zip", Content_Disposition="attachment") + b"PK")


ODD: dict[str, Any] = {
    "/drip": drip,
    "/endless": endless,
    "/silent": silent,
    "/packed": packed,
    "/round": head(status="302 Found", Location="/round"),
    "/refresh": "<meta http-equiv=refresh content='0; url=/goal'>",
    "/script": "<script>location.replace('/goal')</script>",
    "/goal": "<p>the goal",
    "/text": head("text/plain") + b"plain <b>text",
}


@pytest.fixture(scope="module")
async def odd() -> AsyncGenerator[Site]:
    async with open_site(ODD) as site:
        yield site


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/drip", "the beginning"),
        ("/refresh", "the goal"),
        ("/script", "the goal"),
        ("/text", "plain <b>"),
    ],
)
async def test_odd_ways_to_a_page(path: str, said: str, odd: Site, chromium: Chromium) -> None:
    assert said in (await pages(chromium, "chromium").fetch(odd.root + path)).text


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/round", "ERR_TOO_MANY_REDIRECTS"),
        ("/silent", "it took longer than 4 seconds"),
        ("/nothing", "the server answered 404|ERR_HTTP_RESPONSE_CODE_FAILURE"),
        ("/packed", "it is application/zip, and no text"),
    ],
)
async def test_what_cannot_be_read_is_told(
    path: str, said: str, odd: Site, chromium: Chromium
) -> None:
    with pytest.raises(ToolError, match=said) as told:
        await pages(chromium, "chromium").fetch(odd.root + path)
    assert str(told.value).startswith(f"Error fetching URL `{odd.root}{path}`: ")


async def test_a_page_without_end_is_cut(
    odd: Site, chromium: Chromium, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proxy, "MAX_BYTES", 1_000_000)
    page = await pages(chromium, "chromium").fetch(odd.root + "/endless")
    assert 100_000 < len(page.text) < 1_100_000


@pytest.fixture(scope="module")
def self_signed(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    folder: Path = tmp_path_factory.mktemp("tls")
    command = "openssl req -x509 -newkey rsa:2048 -nodes -keyout key -out cert -subj /CN=127.0.0.1"
    subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "cert", folder / "key")
    return context


@pytest.mark.parametrize("by", ["http", "chromium"])
async def test_a_certificate_that_nobody_vouches_for_is_told(
    by: Fetch, self_signed: ssl.SSLContext, chromium: Chromium
) -> None:
    async with open_site({"/": "<p>x"}, tls=self_signed) as site:
        with pytest.raises(ToolError, match=r"(?i)certificate|CERT_AUTHORITY_INVALID"):
            await pages(chromium, by).fetch(site.root)


async def test_a_browser_that_died_is_started_again(chromium: Chromium) -> None:
    asked = anyio.Event()

    async def hang(client: ByteStream) -> None:
        if asked.is_set():
            await client.send(head() + b"<p>there")
        else:
            asked.set()
            await anyio.sleep_forever()

    texts: list[str] = []
    async with open_site({"/": hang}) as site, anyio.create_task_group() as group:

        async def visit() -> None:
            texts.append((await pages(chromium, "chromium").fetch(site.root)).text)

        group.start_soon(visit)
        with anyio.fail_after(30):
            await asked.wait()
        browser = await chromium.start()
        session: Any = await browser.new_browser_cdp_session()
        with pytest.raises(Exception, match=r"closed|crashed"):
            await session.send("Browser.crash")
    assert texts == ["there"]


async def test_a_run_starts_a_browser_of_its_own_and_ends_it() -> None:
    async with (
        open_site({"/": BUILT}) as site,
        Toolbox([BrowserTool(allow_hosts=[f"127.0.0.1:{site.port}"])]) as tools,
    ):
        arguments = f'{{"id": "{site.root}"}}'
        opened = (
            await tools.call(
                Message("assistant", arguments, channel="analysis", recipient="browser.open")
            )
        ).message
    assert "It is 【0†42】." in opened.text

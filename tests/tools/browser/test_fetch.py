"""Pages from servers that are slow, large, wrong or hostile; all of them real, on loopback."""

import gzip
import zlib
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace

import anyio
import pytest
from anyio.abc import SocketAttribute, SocketStream

from ossia.tools import ToolError
from ossia.tools.browser.fetch.chromium import Chromium
from ossia.tools.browser.fetch.http import Http
from ossia.tools.browser.fetch.pages import Pages
from ossia.tools.browser.network.network_policy import NetworkPolicy
from ossia.tools.browser.text.document import Document

HTML = "text/html; charset=utf-8"


def head(kind: str = HTML, status: str = "200 OK", **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def plain(client: SocketStream) -> None:
    await client.send(head() + "<title>Tìtle</title><p>Hellò <a href='b'>b</a>".encode())


async def moved(client: SocketStream) -> None:
    await client.send(head(status="302 Found", Location="/plain"))


async def round_and_round(client: SocketStream) -> None:
    await client.send(head(status="302 Found", Location="/round_and_round"))


async def to_a_file(client: SocketStream) -> None:
    await client.send(head(status="302 Found", Location="file:///etc/passwd"))


async def to_the_cloud(client: SocketStream) -> None:
    await client.send(head(status="302 Found", Location="http://169.254.169.254/latest/meta-data"))


async def missing(client: SocketStream) -> None:
    await client.send(head(status="404 Not Found") + b"nothing")


async def endless(client: SocketStream) -> None:
    await client.send(head())
    while True:
        await client.send(b"word " * 10_000)


async def drip(client: SocketStream) -> None:
    await client.send(head())
    await anyio.sleep_forever()


async def silent(client: SocketStream) -> None:
    await anyio.sleep_forever()


async def bomb(client: SocketStream) -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    packed = b"".join(packer.compress(bytes(1_000_000)) for _ in range(100)) + packer.flush()
    await client.send(head(Content_Encoding="gzip") + packed)


async def packed(client: SocketStream) -> None:
    await client.send(head(Content_Encoding="gzip") + gzip.compress(b"<p>packed"))


async def torn(client: SocketStream) -> None:
    await client.send(head(Content_Encoding="gzip") + b"this is no gzip")


async def strange(client: SocketStream) -> None:
    await client.send(head(Content_Encoding="rot13") + b"uryyb")


async def json(client: SocketStream) -> None:
    await client.send(head("application/json") + '{"a": "【1†x】"}'.encode())


async def picture(client: SocketStream) -> None:
    await client.send(head("image/png") + b"\x89PNG")


async def gibberish(client: SocketStream) -> None:
    await client.send(b"\x00\x01\x02 this is no HTTP\r\n\r\n")


async def nothing(client: SocketStream) -> None: ...


SITE: dict[str, Callable[[SocketStream], object]] = {
    f"/{serve.__name__}": serve
    for serve in (
        plain, moved, round_and_round, to_a_file, to_the_cloud, missing, endless, drip, silent,
        bomb, packed, torn, strange, json, picture, gibberish, nothing,
    )
}  # fmt: skip


@pytest.fixture
async def root() -> AsyncGenerator[str]:
    """The address of a server of all of them."""

    async def serve(client: SocketStream) -> None:
        async with client:
            try:
                path = (await client.receive()).split(b" ", 2)[1].decode()
                await SITE[path](client)  # type: ignore[misc]
            except (anyio.BrokenResourceError, anyio.EndOfStream):
                pass

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, serve)
        yield f"http://127.0.0.1:{listener.extra(SocketAttribute.local_port)}"
        group.cancel_scope.cancel()


HTTP = Http(NetworkPolicy(allow_hosts=("127.0.0.1",)), fetch_s=20, max_bytes=1_000_000)
PAGES = Pages(HTTP, Chromium(), "http")


async def test_a_page_is_read(root: str) -> None:
    page = await PAGES.fetch(f"{root}/plain")
    assert (page.url, page.title, page.text) == (f"{root}/plain", "Tìtle", "Hellò 【0†b】")
    assert page.links == (f"{root}/b",)


async def test_a_page_that_moved_is_known_by_its_new_address(root: str) -> None:
    assert (await PAGES.fetch(f"{root}/moved")).url == f"{root}/plain"


async def test_the_source_of_a_page_is_shown_as_it_is(root: str) -> None:
    page = await PAGES.fetch(f"view-source:{root}/plain")
    assert page.text == "<title>Tìtle</title><p>Hellò <a href='b'>b</a>"
    assert page.url == f"view-source:{root}/plain"


async def test_packed_pages_are_unpacked(root: str) -> None:
    assert (await PAGES.fetch(f"{root}/packed")).text == "packed"


async def test_other_text_is_shown_as_it_is_but_for_our_signs(root: str) -> None:
    page = await PAGES.fetch(f"{root}/json")
    assert (page.title, page.text) == ("json", '{\n "a": "〖1†x〗"\n}')


@pytest.mark.parametrize("path", ["/endless", "/bomb"])
async def test_of_a_page_without_end_the_beginning_is_read(root: str, path: str) -> None:
    page = await PAGES.fetch(root + path)
    assert len(page.text) <= 1_000_100
    assert page.text.endswith("[The page is longer: only its first 1,000,000 bytes were read.]")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/round_and_round", "it leads on more than 10 times"),
        ("/to_a_file", "Request URL has an unsupported protocol 'file://'|only http and https"),
        ("/to_the_cloud", r"169\.254\.169\.254 is not on the public internet"),
        ("/missing", "the server answered 404"),
        ("/torn", "packed the page as gzip, and wrongly"),
        ("/strange", "packed the page as rot13"),
        ("/picture", "it is image/png, and no text"),
        ("/gibberish", "HTTP|protocol|illegal"),
        ("/nothing", "without sending a response"),
    ],
)
async def test_what_cannot_be_read_is_told_with_the_reason(root: str, path: str, said: str) -> None:
    with pytest.raises(ToolError, match=said) as told:
        await PAGES.fetch(root + path)
    assert str(told.value).startswith(f"Error fetching URL `{root}{path}`: ")


@pytest.mark.parametrize("path", ["/drip", "/silent"])
async def test_a_server_that_keeps_us_waiting_is_given_up(root: str, path: str) -> None:
    with pytest.raises(ToolError, match=r"it took longer than 0\.5 seconds"):
        await replace(HTTP, fetch_s=0.5).get(root + path)


REFUSED = r"""
file:///etc/passwd ftp://a.b/ javascript:alert(1) data:text/html,x x http:// http://[::1
https://1.1.1.1:99999/ http://127.0.0.1:-1/ http://..a/ http://. http://xn--a/ HTTP://LOCALHOST/
http://user:pw@127.0.0.1/ http://127.0.0.1\@8.8.8.8/ http://①②⑦.⓪.⓪.①/ http://127.0.0.1.:80/
http://[fe80::1%25eth0]/ http://[::ffff:7f00:1]/ http://169.254.169.254/latest/meta-data
"""


@pytest.mark.parametrize(
    "url",
    REFUSED.split(),
)
async def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(ToolError, match="Error fetching URL"):
        await Http(fetch_s=5).get(url)


@pytest.mark.parametrize("url", ["", "http://a b/", "http://a/\0", "http://a/\n", "x" * 70_000])
async def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ToolError, match="Error fetching URL"):
        await Http(fetch_s=5).get(url)


@pytest.mark.parametrize(
    ("data", "charset", "text"),
    [
        ("è".encode(), None, "è"),
        ("è".encode("latin-1"), None, "è"),
        ("è".encode("latin-1"), "iso-8859-1", "è"),
        ("è".encode("utf-16"), "utf-8", "è"),
        ("ж".encode("cp1251"), "windows-1251", "ж"),
        (b'<meta charset="shift_jis">' + "あ".encode("shift_jis"), None, "あ"),
        (b"<meta http-equiv=x content='text/html; charset=cp1251'>\xe6", None, "ж"),
        ("è".encode(), "no-such-charset", "è"),
        (b"\xef\xbb\xbfa", "latin-1", "a"),
    ],
)
def test_the_charset_is_found(data: bytes, charset: str | None, text: str) -> None:
    assert Document("", "text/html", data, charset).text.endswith(text)


def test_a_character_that_was_cut_in_two_is_left_out() -> None:
    assert Document("", "text/html", "aè".encode()[:-1], cut=True).text == "a"


async def test_the_note_on_a_cut_page_stands_outside_of_it(root: str) -> None:
    page = await replace(PAGES, http=replace(HTTP, max_bytes=30)).fetch(f"{root}/plain")
    assert page.text.endswith("[The page is longer: only its first 30 bytes were read.]")

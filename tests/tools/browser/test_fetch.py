"""Pages from slow, large, broken and hostile servers, over real connections on loopback."""

import gzip
import zlib
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace

import anyio
import pytest
import webencodings
from anyio.abc import SocketAttribute, SocketStream
from webencodings.labels import LABELS

from ossia.tools import ToolError
from ossia.tools.browser.fetch.chromium import Chromium
from ossia.tools.browser.fetch.http import HttpFetcher
from ossia.tools.browser.fetch.page_fetcher import PageFetcher
from ossia.tools.browser.network.network_policy import NetworkPolicy
from ossia.tools.browser.text.document import Document

HTML = "text/html; charset=utf-8"


def head(media_type: str = HTML, status: str = "200 OK", **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {media_type}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def plain(client: SocketStream) -> None:
    await client.send(head() + "<title>Tìtle</title><p>Hellò <a href='b'>b</a>".encode())


async def redirect(client: SocketStream) -> None:
    await client.send(head(status="302 Found", Location="/plain"))


async def redirect_loop(client: SocketStream) -> None:
    await client.send(head(status="302 Found", Location="/redirect_loop"))


async def redirect_to_file(client: SocketStream) -> None:
    await client.send(head(status="302 Found", Location="file:///etc/passwd"))


async def redirect_to_metadata(client: SocketStream) -> None:
    await client.send(head(status="302 Found", Location="http://169.254.169.254/latest/meta-data"))


async def missing(client: SocketStream) -> None:
    await client.send(head(status="404 Not Found") + b"nothing")


async def missing_without_page(client: SocketStream) -> None:
    await client.send(head(status="404 Not Found", Content_Length="0"))


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
    compressor = zlib.compressobj(9, zlib.DEFLATED, 31)
    body = b"".join(compressor.compress(bytes(1_000_000)) for _ in range(100)) + compressor.flush()
    await client.send(head(Content_Encoding="gzip") + body)


async def compressed(client: SocketStream) -> None:
    await client.send(head(Content_Encoding="gzip") + gzip.compress(b"<p>compressed"))


async def invalid_gzip(client: SocketStream) -> None:
    await client.send(head(Content_Encoding="gzip") + b"this is not gzip")


async def unknown_encoding(client: SocketStream) -> None:
    await client.send(head(Content_Encoding="rot13") + b"uryyb")


async def json(client: SocketStream) -> None:
    await client.send(head("application/json") + '{"a": "【1†x】"}'.encode())


async def image(client: SocketStream) -> None:
    await client.send(head("image/png") + b"\x89PNG")


async def not_http(client: SocketStream) -> None:
    await client.send(b"\x00\x01\x02 this is not HTTP\r\n\r\n")


async def nothing(client: SocketStream) -> None: ...


SITE: dict[str, Callable[[SocketStream], object]] = {
    f"/{serve.__name__}": serve
    for serve in (
        plain, redirect, redirect_loop, redirect_to_file, redirect_to_metadata, missing,
        missing_without_page, endless,
        drip, silent, bomb, compressed, invalid_gzip, unknown_encoding, json, image, not_http,
        nothing,
    )
}  # fmt: skip


@pytest.fixture
async def root() -> AsyncGenerator[str]:
    """Yield the URL of a server with all of these paths."""

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


HTTP = HttpFetcher(NetworkPolicy(allow_hosts=("127.0.0.1",)), fetch_s=20, max_bytes=1_000_000)
FETCHER = PageFetcher(HTTP, Chromium(), "http")


async def test_a_page_is_read(root: str) -> None:
    page = await FETCHER.fetch(f"{root}/plain")
    assert (page.url, page.title, page.text) == (f"{root}/plain", "Tìtle", "Hellò 【0†b】")
    assert page.links == (f"{root}/b",)


async def test_a_redirected_page_has_its_final_url(root: str) -> None:
    assert (await FETCHER.fetch(f"{root}/redirect")).url == f"{root}/plain"


async def test_the_source_of_a_page_is_shown_unchanged(root: str) -> None:
    page = await FETCHER.fetch(f"view-source:{root}/plain")
    assert page.text == "<title>Tìtle</title><p>Hellò <a href='b'>b</a>"
    assert page.url == f"view-source:{root}/plain"


async def test_the_page_of_a_failed_request_is_shown_with_its_status(root: str) -> None:
    page = await FETCHER.fetch(f"{root}/missing")
    assert page.text == "[The server returned HTTP status 404 with this page.]\n\nnothing"


async def test_compressed_pages_are_decompressed(root: str) -> None:
    assert (await FETCHER.fetch(f"{root}/compressed")).text == "compressed"


async def test_other_text_is_shown_unchanged_except_for_marks(root: str) -> None:
    page = await FETCHER.fetch(f"{root}/json")
    assert (page.title, page.text) == ("json", '{\n "a": "〖1†x〗"\n}')


@pytest.mark.parametrize("path", ["/endless", "/bomb"])
async def test_an_endless_page_is_truncated(root: str, path: str) -> None:
    page = await FETCHER.fetch(root + path)
    assert len(page.text) <= 1_000_100
    assert page.text.endswith("[Only the first 1,000,000 bytes of this page were read.]")


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/redirect_loop", "more than 10 redirects"),
        (
            "/redirect_to_file",
            "Request URL has an unsupported protocol 'file://'|only http and https",
        ),
        ("/redirect_to_metadata", r"169\.254\.169\.254 is not on the public internet"),
        ("/missing_without_page", "the server returned HTTP status 404"),
        ("/invalid_gzip", "invalid gzip data"),
        ("/unknown_encoding", "unsupported content encoding: rot13"),
        ("/image", "unsupported content type: image/png"),
        ("/not_http", "HTTP|protocol|illegal"),
        ("/nothing", "without sending a response"),
    ],
)
async def test_unreadable_responses_raise_with_the_reason(
    root: str, path: str, reason: str
) -> None:
    with pytest.raises(ToolError, match=reason) as raised:
        await FETCHER.fetch(root + path)
    assert str(raised.value).startswith(f"Error fetching URL `{root}{path}`: ")


@pytest.mark.parametrize("path", ["/drip", "/silent"])
async def test_a_slow_server_times_out(root: str, path: str) -> None:
    with pytest.raises(ToolError, match=r"timed out after 0\.5 seconds"):
        await replace(HTTP, fetch_s=0.5).fetch(root + path)


REFUSED = r"""
file:///etc/passwd ftp://a.b/ javascript:alert(1) data:text/html,x x http:// http://[::1
https://1.1.1.1:99999/ http://127.0.0.1:-1/ http://..a/ http://. http://xn--a/ HTTP://LOCALHOST/
http://user:pw@127.0.0.1/ http://8.8.8.8\@127.0.0.1/ http://①②⑦.⓪.⓪.①/ http://127.0.0.1.:80/
http://[fe80::1%25eth0]/ http://[::ffff:7f00:1]/ http://169.254.169.254/latest/meta-data
"""


@pytest.mark.parametrize(
    "url",
    REFUSED.split(),
)
async def test_private_and_malformed_urls_are_refused(url: str) -> None:
    with pytest.raises(ToolError, match="Error fetching URL"):
        await HttpFetcher(fetch_s=5).fetch(url)


@pytest.mark.parametrize("url", ["", "http://a b/", "http://a/\0", "http://a/\n", "x" * 70_000])
async def test_invalid_urls_are_refused(url: str) -> None:
    with pytest.raises(ToolError, match="Error fetching URL"):
        await HttpFetcher(fetch_s=5).fetch(url)


@pytest.mark.parametrize(
    ("data", "charset", "text"),
    [
        ("è".encode(), None, "è"),
        ("è".encode("latin-1"), None, "è"),
        ("è".encode("latin-1"), "iso-8859-1", "è"),
        ("è".encode("utf-16"), "utf-8", "è"),
        ("ж".encode("cp1251"), "windows-1251", "ж"),
        (b'<meta charset="shift_jis">' + "あ".encode("shift_jis"), None, "あ"),
        (b"<meta http-equiv=Content-Type content='text/html; charset=cp1251'>\xe6", None, "ж"),
        (b"<META\nCONTENT='a; charset = \"koi8-ru\"' HTTP-EQUIV=content-type>\xd6", None, "ж"),
        (b"<meta name=x content='a; charset=cp1251'>\xc3\xa8", None, "è"),
        # In a comment, in another attribute or in another tag it does not count.
        (b"<!-- <meta charset=cp1251> -->\xc3\xa8", None, "è"),
        (b"<!--> <meta charset=cp1251>\xe6", None, "ж"),
        (b"<!-- <meta charset=cp1251> \xc3\xa8", None, "è"),
        (b"<p title='<meta charset=cp1251>'>\xc3\xa8", None, "è"),
        (b"<meta data-charset=cp1251>\xc3\xa8", None, "è"),
        (b"<? <meta charset=cp1251> ?>\xc3\xa8", None, "è"),
        (b"<p it's><meta charset=cp1251>\xe6", None, "ж"),
        # An unknown label is skipped.
        (b"<meta charset=x-none><meta charset=cp1251>\xe6", None, "ж"),
        (b"<meta charset=cp1251>\xe6", "no-such-charset", "ж"),
        (b"<meta charset=utf-16>\xc3\xa8", None, "è"),
        (b"<?xml version='1.0' encoding='iso-8859-2'?>\xe6", None, "ć"),
        (b"\xe0", "x-user-defined", "\uf7e0"),
        (b"\x1b$)C\x0e4o", "iso-2022-kr", "\ufffd"),
        # These are codecs of Python, but not charsets of the web.
        (b"61", "hex", "61"),
        (b"a", "rot13", "a"),
        (b"a-", "idna", "a-"),
        (b"a", "unicode_escape", "a"),
        ("è".encode(), "no-such-charset", "è"),
        (b"\xef\xbb\xbfa", "latin-1", "a"),
    ],
)
def test_the_charset_is_detected(data: bytes, charset: str | None, text: str) -> None:
    assert Document("", "text/html", data, charset).text.endswith(text)


TEXTS = {
    "ibm866 koi8-r koi8-u windows-1251 iso-8859-5 x-mac-cyrillic": "Жизнь",
    "iso-8859-2 windows-1250 iso-8859-16": "Łódź",
    "iso-8859-3": "ĉu ŝi",
    "iso-8859-4 iso-8859-10 iso-8859-13 windows-1257": "šūdas",
    "iso-8859-6 windows-1256": "مرحبا",
    "iso-8859-7 windows-1253": "Γειά",
    "iso-8859-8 iso-8859-8-i windows-1255": "שלום",
    "iso-8859-14": "ŵy",
    "iso-8859-15 windows-1252 windows-1254 windows-1258 macintosh": "café ÿ",
    "windows-874": "สวัสดี",
    "gbk gb18030": "你好",
    "big5": "你好",
    "euc-jp iso-2022-jp shift_jis": "こんにちは",
    "euc-kr": "안녕",
    "utf-8 utf-16be utf-16le": "😀 Łódź",
}


def test_every_label_of_the_web_is_known() -> None:
    texts = {name: text for names, text in TEXTS.items() for name in names.split()}
    unreadable = {"replacement", "x-user-defined"}
    assert set(LABELS.values()) - unreadable == set(texts)
    assert len(LABELS) > 220
    for label, name in LABELS.items():
        if name not in unreadable:
            data = webencodings.encode(texts[name], label)
            for shown in (label, label.upper(), f" {label}\t", f'"{label}"'):
                assert Document("", "text/plain", data, shown).text == texts[name], label


def test_a_truncated_character_is_dropped() -> None:
    assert Document("", "text/html", "aè".encode()[:-1], truncated=True).text == "a"


async def test_the_note_on_a_truncated_page_follows_its_text(root: str) -> None:
    page = await replace(FETCHER, http=replace(HTTP, max_bytes=30)).fetch(f"{root}/plain")
    assert page.text.endswith("[Only the first 30 bytes of this page were read.]")

"""Documents of every kind as pages."""

import gzip
import zlib
from importlib import import_module
from typing import Any

import pytest

from ossia.errors import ToolError
from ossia.tools.browser.fetch.decompress import unpacker
from ossia.tools.browser.text.document import Document, read_document

brotli: Any = import_module("brotli")
zstd: Any = import_module("backports.zstd")

URL = "https://example.org/a/file"


def pdf(*pages: str, title: str = "") -> bytes:
    """A small PDF: a line of text on each page."""
    kids = " ".join(f"{4 + 2 * at} 0 R" for at in range(len(pages)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for at, text in enumerate(pages):
        stream = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET"
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {5 + 2 * at} 0 R"
            " /Resources << /Font << /F1 3 0 R >> >> >>"
        )
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
    objects.append(f"<< /Title ({title}) >>")
    body = "%PDF-1.4\n"
    places: list[int] = []
    for number, one in enumerate(objects, 1):
        places.append(len(body))
        body += f"{number} 0 obj\n{one}\nendobj\n"
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    body += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}trailer\n"
    body += f"<< /Size {len(objects) + 1} /Root 1 0 R /Info {len(objects)} 0 R >>\n"
    return f"{body}startxref\n{body.index('xref')}\n%%EOF\n".encode()


RSS = """<?xml version="1.0" encoding="UTF-8"?><rss version="2.0"><channel><title>News</title>
<link>https://example.org/</link><item><title>First &amp; best</title><link>/one</link>
<pubDate>Mon, 2 Mar 2026</pubDate><description>&lt;p&gt;What &lt;b&gt;happened&lt;/b&gt;&lt;/p&gt;
</description></item><item><title>【9†x】</title><link>https://other.example/2</link></item>
</channel></rss>"""
ATOM = """<feed xmlns="http://www.w3.org/2005/Atom"><title>Log</title><entry><title>Entry</title>
<link rel="self" href="/self"/><link href="/entry"/><updated>2026-03-02</updated>
<summary>Short</summary></entry></feed>"""
BOMB = """<!DOCTYPE x [<!ENTITY a "aaaaaaaaaaaaaaaaaaaa">
<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">
<!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;"><!ENTITY e "&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;">
<!ENTITY f "&e;&e;&e;&e;&e;&e;&e;&e;&e;&e;">]><rss><channel><title>&f;&f;</title></channel></rss>
"""
OUTSIDE = """<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><rss><channel><title>t&a;</title>
</channel></rss>"""


@pytest.mark.parametrize(
    ("kind", "data", "title", "text"),
    [
        ("text/plain", b"a\r\nb\rc  d", "file", "a\nb\nc  d"),
        ("text/csv", b"name,size\nx,1\n", "file", "name,size\nx,1\n"),
        ("application/json", b'{"b":[1,2]}', "file", '{\n "b": [\n  1,\n  2\n ]\n}'),
        ("application/ld+json", b'{"a":1}', "file", '{\n "a": 1\n}'),
        ("application/json", b'{"b":', "file", '{"b":'),
        ("application/xml", b"<a>b</a>", "file", "<a>b</a>"),
        ("text/markdown", "# 【1†x】".encode(), "file", "# 〖1†x〗"),
        ("application/octet-stream", b"<!doctype html><p>x", "example.org", "x"),
        ("", b"just text", "file", "just text"),
        (
            "application/pdf",
            pdf("Hello", "World"),
            "file",
            "[Page 1]\n\nHello\n\n[Page 2]\n\nWorld",
        ),
        ("application/octet-stream", pdf("Hi", title="T"), "T", "[Page 1]\n\nHi"),
    ],
)
def test_it_becomes_a_page(kind: str, data: bytes, title: str, text: str) -> None:
    page = read_document(Document(URL, kind, data))
    assert (page.title, page.text) == (title, text)


@pytest.mark.parametrize(
    ("kind", "data", "said"),
    [
        ("image/png", b"\x89PNG", "it is image/png, and no text"),
        ("application/zip", b"PK", "it is application/zip, and no text"),
        ("application/octet-stream", b"\x00\x01", "it is application/octet-stream, and no text"),
        ("application/pdf", b"%PDF-1.4 broken", "it is a PDF that cannot be read"),
        ("application/pdf", pdf(""), "it is a PDF of 1 pages without any text"),
    ],
)
def test_what_has_no_text_is_told(kind: str, data: bytes, said: str) -> None:
    with pytest.raises(ToolError, match=said):
        read_document(Document(URL, kind, data))


def test_a_pdf_that_was_cut_is_not_guessed_at() -> None:
    with pytest.raises(ToolError, match="a PDF of more than"):
        read_document(Document(URL, "application/pdf", pdf("x"), cut=True))


@pytest.mark.parametrize("kind", ["application/rss+xml", "text/xml", "application/xml"])
def test_a_feed_is_a_page_of_its_entries(kind: str) -> None:
    page = read_document(Document(URL, kind, RSS.encode()))
    assert page.title == "News"
    assert page.text == (
        "# News\n\n## 【0†First & best】\nMon, 2 Mar 2026\nWhat happened\n\n"
        "## 【1†〖9‡x〗†other.example】"
    )
    assert page.links == ("https://example.org/one", "https://other.example/2")


def test_atom_has_its_links_in_attributes() -> None:
    page = read_document(Document(URL, "application/atom+xml", ATOM.encode()))
    assert page.text == "# Log\n\n## 【0†Entry】\n2026-03-02\nShort"
    assert page.links == ("https://example.org/entry",)


def test_an_entry_of_a_feed_may_lead_nowhere() -> None:
    feed = "<rss><channel><title>t</title><item><title>Lost</title></item></channel></rss>"
    page = read_document(Document(URL, "application/rss+xml", feed.encode()))
    assert (page.text, page.links) == ("# t\n\n## Lost", ())


@pytest.mark.parametrize("text", [BOMB, OUTSIDE, "<rss><channel><title>t</chan"])
def test_xml_can_neither_grow_nor_read_files(text: str) -> None:
    page = read_document(Document(URL, "text/xml", text.encode()))
    assert len(page.text) < 20_000
    assert "root:" not in page.text


TEXT = b"<p>packed " + bytes(1000)


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        ("", TEXT),
        ("identity", TEXT),
        ("gzip", gzip.compress(TEXT)),
        ("x-gzip", gzip.compress(TEXT)),
        ("deflate", zlib.compress(TEXT)),
        ("deflate", zlib.compress(TEXT)[2:-4]),
        ("br", brotli.compress(TEXT)),
        ("zstd", zstd.compress(TEXT)),
        (" GZip ", gzip.compress(TEXT)),
    ],
)
@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_packed_bytes_are_unpacked_in_whatever_pieces_they_come(
    coding: str, packed: bytes, size: int
) -> None:
    unpack = unpacker(coding)
    pieces = (packed[at : at + size] for at in range(0, len(packed), size))
    assert b"".join(unpack(piece, 100_000) for piece in pieces) == TEXT


@pytest.mark.parametrize(
    ("coding", "pack"),
    [("gzip", gzip.compress), ("br", brotli.compress), ("zstd", zstd.compress)],
)
def test_a_bomb_is_unpacked_no_further_than_asked(coding: str, pack: Any) -> None:
    assert len(unpacker(coding)(pack(bytes(5_000_000)), 1000)) < 200_000


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_bytes_that_are_not_what_they_are_said_to_be_are_told(coding: str) -> None:
    unpack = unpacker(coding)
    with pytest.raises(ToolError, match=f"packed the page as {coding}, and wrongly"):
        unpack(b"\xff\xfenone of that, at all", 1000)


def test_a_coding_that_nobody_asked_for_is_refused() -> None:
    with pytest.raises(ToolError, match="as rot13, which was not asked for"):
        unpacker("rot13")

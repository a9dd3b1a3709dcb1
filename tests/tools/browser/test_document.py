"""Documents of every type as pages."""

import gzip
import zlib
from importlib import import_module
from typing import Any

import pytest

from ossia.errors import ToolError
from ossia.tools.browser.fetch.decompress import decompressor
from ossia.tools.browser.text.document import Document, read_document

brotli: Any = import_module("brotli")
zstd: Any = import_module("backports.zstd")

URL = "https://example.org/a/file"


def pdf(*pages: str, title: str = "") -> bytes:
    """Return a small PDF with a line of text on each page."""
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
    offsets: list[int] = []
    for number, content in enumerate(objects, 1):
        offsets.append(len(body))
        body += f"{number} 0 obj\n{content}\nendobj\n"
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
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
EXTERNAL_ENTITY = """<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><rss><channel><title>t&a;</title>
</channel></rss>"""


@pytest.mark.parametrize(
    ("media_type", "data", "title", "text"),
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
def test_a_document_becomes_a_page(media_type: str, data: bytes, title: str, text: str) -> None:
    page = read_document(Document(URL, media_type, data))
    assert (page.title, page.text) == (title, text)


@pytest.mark.parametrize(
    ("media_type", "data", "reason"),
    [
        ("image/png", b"\x89PNG\r\n\x1a\n", "unsupported content type: image/png"),
        ("application/zip", b"PK\x03\x04", "unsupported content type: application/zip"),
        (
            "application/octet-stream",
            b"\x00\x01",
            "unsupported content type: application/octet-stream",
        ),
        ("application/pdf", b"%PDF-1.4 broken", "cannot read the PDF: "),
        ("application/pdf", pdf(""), r"the PDF has no text \(pages: 1\)"),
    ],
)
def test_documents_without_text_raise(media_type: str, data: bytes, reason: str) -> None:
    with pytest.raises(ToolError, match=reason):
        read_document(Document(URL, media_type, data))


@pytest.mark.parametrize(
    "media_type",
    [
        "application/yaml",
        "application/x-yaml",
        "application/x-ndjson",
        "application/jsonl",
        "application/sql",
        "application/javascript",
        "application/ecmascript",
        "application/typescript",
        "application/x-python",
        "application/x-httpd-php",
        "application/graphql",
        "application/toml",
        "application/x-sh",
        "application/x-tex",
        "application/rtf",
        "application/x-subrip",
        "application/vnd.example",
        "application/csv",
        "image/svg+xml",
        "video/mp2t",
        "model/obj",
        "message/rfc822",
        "chemical/x-pdb",
        "nonsense",
    ],
)
def test_every_type_of_text_is_text(media_type: str) -> None:
    text = "first: größe\nsecond: 2\n"
    assert read_document(Document(URL, media_type, text.encode())).text == text


@pytest.mark.parametrize("length", range(1440, 1450))
def test_text_is_recognized_if_the_examined_part_ends_inside_a_character(length: int) -> None:
    data = b"a" * length + "größe€😀".encode() * 9
    assert read_document(Document(URL, "application/x-unknown", data)).text == data.decode()


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_text_with_a_byte_order_mark_is_text(encoding: str) -> None:
    page = read_document(Document(URL, "application/x-unknown", "größe".encode(encoding)))
    assert page.text == "größe"


@pytest.mark.parametrize(
    "data",
    [b"\x1f\x8b\x08\x00", b"GIF89a\x01\x00", b"\xff\xd8\xff\xe0\x00", b"ID3\x04", b"caf\xe9 \xff"],
)
def test_bytes_are_not_text(data: bytes) -> None:
    with pytest.raises(ToolError, match="unsupported content type: application/x-unknown"):
        read_document(Document(URL, "application/x-unknown", data))


def test_the_charset_of_an_image_does_not_make_it_text() -> None:
    image = Document(URL, "image/png", b"\x89PNG\r\n\x1a\n", charset="utf-8")
    with pytest.raises(ToolError, match="unsupported content type: image/png"):
        read_document(image)


def test_text_in_a_declared_charset_is_text() -> None:
    document = Document(URL, "application/x-unknown", "größe".encode("latin-1"), charset="latin-1")
    assert read_document(document).text == "größe"


def test_a_pdf_is_recognized_whatever_its_type() -> None:
    page = read_document(Document(URL, "text/plain", pdf("Hi", title="T")))
    assert (page.title, page.text) == ("T", "[Page 1]\n\nHi")


def test_a_truncated_pdf_raises() -> None:
    with pytest.raises(ToolError, match="the PDF is larger than"):
        read_document(Document(URL, "application/pdf", pdf("x"), truncated=True))


@pytest.mark.parametrize("media_type", ["application/rss+xml", "text/xml", "application/xml"])
def test_a_feed_becomes_a_page_of_its_entries(media_type: str) -> None:
    page = read_document(Document(URL, media_type, RSS.encode()))
    assert page.title == "News"
    assert page.text == (
        "# News\n\n## 【0†First & best】\nMon, 2 Mar 2026\nWhat happened\n\n"
        "## 【1†〖9‡x〗†other.example】"
    )
    assert page.links == ("https://example.org/one", "https://other.example/2")


def test_atom_links_are_read_from_attributes() -> None:
    page = read_document(Document(URL, "application/atom+xml", ATOM.encode()))
    assert page.text == "# Log\n\n## 【0†Entry】\n2026-03-02\nShort"
    assert page.links == ("https://example.org/entry",)


def test_a_feed_entry_may_have_no_link() -> None:
    feed = "<rss><channel><title>t</title><item><title>Lost</title></item></channel></rss>"
    page = read_document(Document(URL, "application/rss+xml", feed.encode()))
    assert (page.text, page.links) == ("# t\n\n## Lost", ())


@pytest.mark.parametrize("text", [BOMB, EXTERNAL_ENTITY, "<rss><channel><title>t</chan"])
def test_xml_cannot_expand_or_read_files(text: str) -> None:
    page = read_document(Document(URL, "text/xml", text.encode()))
    assert len(page.text) < 20_000
    assert "root:" not in page.text


TEXT = b"<p>compressed " + bytes(1000)


@pytest.mark.parametrize(
    ("encoding", "compressed"),
    [
        ("", TEXT),
        ("identity", TEXT),
        ("gzip", gzip.compress(TEXT, mtime=0)),
        ("x-gzip", gzip.compress(TEXT, mtime=0)),
        ("deflate", zlib.compress(TEXT)),
        ("deflate", zlib.compress(TEXT)[2:-4]),
        ("br", brotli.compress(TEXT)),
        ("zstd", zstd.compress(TEXT)),
        (" GZip ", gzip.compress(TEXT, mtime=0)),
    ],
)
@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_bodies_are_decompressed_in_chunks_of_any_size(
    encoding: str, compressed: bytes, size: int
) -> None:
    decompress = decompressor(encoding)
    chunks = (compressed[at : at + size] for at in range(0, len(compressed), size))
    assert b"".join(decompress(chunk, 100_000) for chunk in chunks) == TEXT


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [("gzip", gzip.compress), ("br", brotli.compress), ("zstd", zstd.compress)],
)
def test_a_bomb_is_decompressed_only_up_to_the_limit(encoding: str, compress: Any) -> None:
    assert len(decompressor(encoding)(compress(bytes(5_000_000)), 1000)) < 200_000


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
def test_invalid_compressed_data_raises(encoding: str) -> None:
    decompress = decompressor(encoding)
    with pytest.raises(ToolError, match=f"invalid {encoding} data"):
        decompress(b"\xff\xfenot compressed", 1000)


def test_an_unsupported_encoding_is_refused() -> None:
    with pytest.raises(ToolError, match="unsupported content encoding: rot13"):
        decompressor("rot13")

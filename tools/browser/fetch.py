"""Pages over plain HTTP, within limits of size and time."""

from __future__ import annotations

import codecs
import re
import zlib
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

import httpx
from anyio import fail_after, to_thread

from ...errors import ToolError
from .browsing import SOURCE_PREFIX
from .gate import Gate
from .html import read_html
from .page import Page
from .transport import GatedTransport
from .writer import harmless

FETCH_S = 30.0
"""Seconds that a page may take, redirects included."""
MAX_BYTES = 8 * 1024 * 1024
"""Of a body, unpacked; what comes after is left where it is."""
MAX_REDIRECTS = 10

_HEADERS = {
    "Accept": "text/html, application/xhtml+xml, text/*;q=0.9, application/json;q=0.9, */*;q=0.1",
    "Accept-Encoding": "gzip, deflate",
    "Accept-Language": "en, *;q=0.5",
    "User-Agent": "Mozilla/5.0 (compatible; ossia; +https://pypi.org/project/ossia)",
}
_HTML = frozenset({"text/html", "application/xhtml+xml"})
_TEXT = re.compile(r"text/.+|application/(.+\+)?(json|xml|javascript|x-sh|yaml|toml)")
_META = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w.:-]+)", re.IGNORECASE)
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


@dataclass(frozen=True, slots=True)
class Body:
    """What a server sent."""

    url: str
    """Where it came from, after all redirects."""
    kind: str
    """Media type, in lower case, without parameters."""
    data: bytes
    charset: str | None
    """As the server says."""
    cut: bool
    """Whether there was more than MAX_BYTES of it."""


@dataclass(frozen=True, slots=True)
class HttpPages:
    """Pages by plain HTTP. It keeps no cookies, and one connection serves one page."""

    gate: Gate = field(default_factory=Gate)
    fetch_s: float = FETCH_S
    max_bytes: int = MAX_BYTES

    async def fetch(self, url: str) -> Page:
        """The page at an address.

        Raises ToolError, with the address and the reason, for the model to read.
        """
        plain = url.removeprefix(SOURCE_PREFIX)
        try:
            with fail_after(self.fetch_s):
                body = await self._get(plain)
        except TimeoutError as error:
            raise _failure(url, f"it took longer than {self.fetch_s:g} seconds") from error
        except httpx.TooManyRedirects as error:
            raise _failure(url, f"it leads on more than {MAX_REDIRECTS} times") from error
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError, zlib.error) as error:
            raise _failure(url, str(error) or type(error).__name__) from error
        except ToolError as error:
            raise _failure(url, str(error)) from error
        # The largest pages take a second to read; the event loop goes on meanwhile.
        return await to_thread.run_sync(_page, url, body, plain != url)

    async def _get(self, url: str) -> Body:
        if httpx.URL(url).scheme not in {"http", "https"}:
            raise ToolError("only http and https addresses can be opened")
        client = httpx.AsyncClient(
            transport=GatedTransport(self.gate),
            headers=_HEADERS,
            timeout=self.fetch_s,
            follow_redirects=True,
            max_redirects=MAX_REDIRECTS,
            trust_env=False,
        )
        async with client, client.stream("GET", url) as response:
            if response.is_error:
                raise ToolError(f"the server answered {response.status_code}")
            data, cut = await self._read(response)
            kind, _, _ = response.headers.get("content-type", "text/html").partition(";")
            return Body(
                str(response.url), kind.strip().lower(), data, response.charset_encoding, cut
            )

    async def _read(self, response: httpx.Response) -> tuple[bytes, bool]:
        """The body up to `max_bytes`, unpacked bit by bit: a small packet may hold gigabytes."""
        packed = response.headers.get("content-encoding", "identity").strip().lower()
        if packed not in {"identity", "gzip", "deflate"}:
            raise ToolError(f"the server packed the page as {packed}, which was not asked for")
        # 32: a gzip or a zlib header, whichever is there.
        unpack = zlib.decompressobj(zlib.MAX_WBITS | 32)
        data = bytearray()
        async for part in response.aiter_raw():
            room = self.max_bytes + 1 - len(data)
            data += part if packed == "identity" else unpack.decompress(part, room)
            if len(data) > self.max_bytes:
                return bytes(data[: self.max_bytes]), True
        return bytes(data), False


def _page(url: str, body: Body, source: bool) -> Page:
    """A page of what came, or of its source."""
    if not (body.kind in _HTML or _TEXT.fullmatch(body.kind)):
        raise _failure(url, f"it is {body.kind or 'of no known kind'}, and no text")
    text = decoded(body)
    if source or body.kind not in _HTML:
        title = urlsplit(body.url).path.rpartition("/")[2] or urlsplit(body.url).netloc
        page = Page(SOURCE_PREFIX + body.url if source else body.url, title, harmless(text))
    else:
        page = read_html(text, body.url)
    if not body.cut:
        return page
    note = f"[The page is longer: only its first {len(body.data):,} bytes were read.]"
    return replace(page, text=f"{page.text}\n\n{note}")


def decoded(body: Body) -> str:
    """The body as text: by its first bytes, its header, its own <meta>, or what fits."""
    mark = next((name for start, name in _MARKS.items() if body.data.startswith(start)), None)
    meta = _META.search(body.data[:4096]) if body.kind in _HTML else None
    for name in (mark, body.charset, meta[1].decode() if meta else None):
        if name is not None:
            try:
                return body.data.decode(name, "replace")
            except LookupError:
                continue
    try:
        # The last character of a page that was cut may have been cut in two.
        return codecs.getincrementaldecoder("utf-8")().decode(body.data, final=not body.cut)
    except UnicodeDecodeError:
        return body.data.decode("cp1252", "replace")


def _failure(url: str, reason: str) -> ToolError:
    shown = url if len(url) <= 1024 else url[:1021] + "..."
    return ToolError(f"Error fetching URL `{shown}`: {reason}")

"""Documents over plain HTTP, with limits on size and time."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio

from ....errors import ToolError
from ..network import NetworkPolicy, PolicyTransport
from ..text import Document
from .decompress import ACCEPT_ENCODING, decompressor

if TYPE_CHECKING:
    import httpx

FETCH_S = 30.0
"""Timeout of a fetch in seconds, redirects included."""
MAX_BYTES = 8 * 1024 * 1024
"""Limit of a decompressed body. The rest is not read."""
MAX_REDIRECTS = 10
USER_AGENT = "Mozilla/5.0 (compatible; ossia; +https://pypi.org/project/ossia)"

_DEFAULT_PORTS = {"http": 80, "https": 443}
_HEADERS = {
    "Accept": "text/html, application/xhtml+xml, text/*;q=0.9, application/json;q=0.9, */*;q=0.1",
    "Accept-Encoding": ACCEPT_ENCODING,
    "Accept-Language": "en, *;q=0.5",
    "User-Agent": USER_AGENT,
}


@dataclass(frozen=True, slots=True)
class HttpFetcher:
    """A fetcher of documents over plain HTTP. It keeps no cookies and reuses no connections."""

    policy: NetworkPolicy = field(default_factory=NetworkPolicy)
    fetch_s: float = FETCH_S
    max_bytes: int = MAX_BYTES

    async def fetch(self, url: str) -> Document:
        """Return the document at a URL.

        Raises ToolError, with the URL and the reason, for the model to read.
        """
        with fetch_errors(url, self.fetch_s), anyio.fail_after(self.fetch_s):
            return await self._fetch(url)

    async def check_allowed(self, url: str) -> None:
        """Raise ToolError, with the reason, if the policy refuses the URL's host."""
        parsed = _parse_url(url)
        await self.policy.resolve(parsed.host, parsed.port or _DEFAULT_PORTS[parsed.scheme])

    async def _fetch(self, url: str) -> Document:
        import httpx

        client = httpx.AsyncClient(
            transport=PolicyTransport(self.policy),
            headers=_HEADERS,
            timeout=self.fetch_s,
            follow_redirects=True,
            max_redirects=MAX_REDIRECTS,
            trust_env=False,
        )
        async with client, client.stream("GET", _parse_url(url)) as response:
            data, truncated = await self._read_body(response)
            media_type, _, _ = response.headers.get("content-type", "text/html").partition(";")
            return Document(
                str(response.url),
                media_type.strip().lower(),
                data,
                response.charset_encoding,
                truncated,
                response.status_code,
            )

    async def _read_body(self, response: httpx.Response) -> tuple[bytes, bool]:
        """Return the decompressed body up to `max_bytes`, and whether it was truncated."""
        decompress = decompressor(response.headers.get("content-encoding", ""))
        data = bytearray()
        async for part in response.aiter_raw():
            data += decompress(part, self.max_bytes + 1 - len(data))
            if len(data) > self.max_bytes:
                return bytes(data[: self.max_bytes]), True
        return bytes(data), False


@contextmanager
def fetch_errors(url: str, timeout_s: float = FETCH_S) -> Generator[None]:
    """Raise every failure to read a page as a ToolError with its URL and the reason."""
    import httpx

    try:
        yield
    except TimeoutError as error:
        raise fetch_error(url, f"timed out after {timeout_s:g} seconds") from error
    except httpx.TooManyRedirects as error:
        raise fetch_error(url, f"more than {MAX_REDIRECTS} redirects") from error
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
        raise fetch_error(url, str(error) or type(error).__name__) from error
    except ToolError as error:
        raise fetch_error(url, str(error)) from error


def fetch_error(url: str, reason: str) -> ToolError:
    """Return the error in the format of the reference browser, which shortens long URLs."""
    shown = url if len(url) <= 1024 else url[:1021] + "..."
    return ToolError(f"Error fetching URL `{shown}`: {reason}")


def _parse_url(url: str) -> httpx.URL:
    import httpx

    parsed = httpx.URL(url)
    if parsed.scheme not in _DEFAULT_PORTS:
        raise ToolError("only http and https URLs can be opened")
    return parsed

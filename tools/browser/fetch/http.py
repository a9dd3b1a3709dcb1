"""Documents over plain HTTP, within limits of size and time."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
from anyio import fail_after

from ....errors import ToolError
from ..network import GatedTransport, NetworkPolicy
from ..text import Document
from .decompress import ACCEPTED, unpacker

FETCH_S = 30.0
"""Seconds that a page may take, redirects included."""
MAX_BYTES = 8 * 1024 * 1024
"""Of a body, unpacked; what comes after is left where it is."""
MAX_REDIRECTS = 10
_PORTS = {"http": 80, "https": 443}
USER_AGENT = "Mozilla/5.0 (compatible; ossia; +https://pypi.org/project/ossia)"

_HEADERS = {
    "Accept": "text/html, application/xhtml+xml, text/*;q=0.9, application/json;q=0.9, */*;q=0.1",
    "Accept-Encoding": ACCEPTED,
    "Accept-Language": "en, *;q=0.5",
    "User-Agent": USER_AGENT,
}


@dataclass(frozen=True, slots=True)
class Http:
    """Documents by plain HTTP. It keeps no cookies, and one connection serves one of them."""

    gate: NetworkPolicy = field(default_factory=NetworkPolicy)
    fetch_s: float = FETCH_S
    max_bytes: int = MAX_BYTES

    async def get(self, url: str) -> Document:
        """What the server at an address sends.

        Raises ToolError, with the address and the reason, for the model to read.
        """
        with explained(url, self.fetch_s), fail_after(self.fetch_s):
            return await self._get(url)

    async def check(self, url: str) -> None:
        """Raise ToolError, with the reason, if no page at this address may be visited."""
        parsed = _parsed(url)
        await self.gate.addresses(parsed.host, parsed.port or _PORTS[parsed.scheme])

    async def _get(self, url: str) -> Document:
        client = httpx.AsyncClient(
            transport=GatedTransport(self.gate),
            headers=_HEADERS,
            timeout=self.fetch_s,
            follow_redirects=True,
            max_redirects=MAX_REDIRECTS,
            trust_env=False,
        )
        async with client, client.stream("GET", _parsed(url)) as response:
            if response.is_error:
                raise ToolError(f"the server answered {response.status_code}")
            data, cut = await self._read(response)
            kind, _, _ = response.headers.get("content-type", "text/html").partition(";")
            return Document(
                str(response.url), kind.strip().lower(), data, response.charset_encoding, cut
            )

    async def _read(self, response: httpx.Response) -> tuple[bytes, bool]:
        """The body up to `max_bytes`, unpacked, and whether there was more."""
        unpack = unpacker(response.headers.get("content-encoding", ""))
        data = bytearray()
        async for part in response.aiter_raw():
            data += unpack(part, self.max_bytes + 1 - len(data))
            if len(data) > self.max_bytes:
                return bytes(data[: self.max_bytes]), True
        return bytes(data), False


def _parsed(url: str) -> httpx.URL:
    parsed = httpx.URL(url)
    if parsed.scheme not in _PORTS:
        raise ToolError("only http and https addresses can be opened")
    return parsed


@contextmanager
def explained(url: str, limit_s: float = FETCH_S) -> Generator[None]:
    """Whatever keeps a page from being read, as a ToolError with its address and the reason."""
    try:
        yield
    except TimeoutError as error:
        raise _failure(url, f"it took longer than {limit_s:g} seconds") from error
    except httpx.TooManyRedirects as error:
        raise _failure(url, f"it leads on more than {MAX_REDIRECTS} times") from error
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
        raise _failure(url, str(error) or type(error).__name__) from error
    except ToolError as error:
        raise _failure(url, str(error)) from error


def _failure(url: str, reason: str) -> ToolError:
    shown = url if len(url) <= 1024 else url[:1021] + "..."
    return ToolError(f"Error fetching URL `{shown}`: {reason}")

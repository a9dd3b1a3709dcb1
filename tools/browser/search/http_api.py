"""Requests to the HTTP APIs of search engines, and the parts that their responses share."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast
from urllib.parse import urlsplit

import anyio

from ....errors import ToolDefinitionError, ToolError
from .backend import Hit

TIMEOUT_S = 20.0
"""Timeout of a request in seconds."""
_MAX_BYTES = 4 * 1024 * 1024


async def request_text(
    method: str,
    url: str,
    *,
    params: Mapping[str, str] | None = None,
    body: object = None,
    headers: Mapping[str, str] | None = None,
) -> str:
    """Send a request and return the text of the response.

    The network policy does not apply, because the user chose the URL.

    Raises ToolError, with the host and the reason but without the key, for the model to read.
    """
    import httpx

    host = _host(url)
    text = bytearray()
    try:
        with anyio.fail_after(TIMEOUT_S):
            async with (
                httpx.AsyncClient(timeout=TIMEOUT_S) as client,
                client.stream(method, url, params=params, json=body, headers=headers) as response,
            ):
                async for part in response.aiter_bytes():
                    text += part
                    if len(text) > _MAX_BYTES:
                        raise ToolError(f"{host} returned more than {_MAX_BYTES:,} bytes")
    except (TimeoutError, httpx.TimeoutException) as error:
        raise ToolError(f"{host} did not respond within {TIMEOUT_S:g} seconds") from error
    except httpx.HTTPError as error:
        raise ToolError(f"the request to {host} failed: {error or type(error).__name__}") from error
    if not response.is_success:
        raise ToolError(f"{host} returned {response.status_code} {response.reason_phrase}")
    return text.decode(response.charset_encoding or "utf-8", "replace")


async def request_json(method: str, url: str, **options: Any) -> Any:
    """Send a request and return the JSON of the response. The options are `request_text`'s."""
    text = await request_text(method, url, **options)
    try:
        return json.loads(text)
    except ValueError as error:
        raise ToolError(f"{_host(url)} did not return JSON") from error


def parse_hits(response: Any, *path: str, text: Sequence[str]) -> list[Hit]:
    """Return the results in a search engine's JSON. Results without a URL are dropped.

    path: the keys that lead to the list of results.
    text: the fields that may contain a passage, best first. A list of passages is joined.

    Raises ToolError if there is no such list.
    """
    for key in path:
        response = cast("dict[str, Any]", response).get(key) if isinstance(response, dict) else None
    if not isinstance(response, list):
        raise ToolError(f"the search engine's response has no {'.'.join(path)}")
    items = cast("list[object]", response)
    results = (cast("dict[str, Any]", item) for item in items if isinstance(item, dict))
    return [
        Hit(
            str(result["url"]),
            _to_text(result.get("title")),
            _first_nonempty(_to_text(result.get(key)) for key in text),
        )
        for result in results
        if result.get("url")
    ]


def _host(url: str) -> str:
    """Return the host and port of a URL, without a user name and password."""
    return urlsplit(url).netloc.rpartition("@")[2]


def _to_text(value: Any) -> str:
    if isinstance(value, list):
        return " … ".join(map(str, cast("list[object]", value)))
    return "" if value is None else str(value)


def _first_nonempty(texts: Iterable[str]) -> str:
    return next(filter(None, texts), "")


def require_api_key(backend: object, api_key: str, variable: str) -> str:
    """Return the given API key, or the one in the environment variable.

    Raises ToolDefinitionError if there is neither.
    """
    key = api_key or os.environ.get(variable, "")
    if not key:
        name = type(backend).__name__
        raise ToolDefinitionError(f"{name} needs an API key: pass {name}('...') or set {variable}")
    return key

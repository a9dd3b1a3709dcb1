"""One request to a search engine of the user's choice."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast
from urllib.parse import urlsplit

from anyio import fail_after

from ....errors import ToolDefinitionError, ToolError
from .backend import Hit

ANSWER_S = 20.0
"""Seconds that a search engine has to answer."""
_MAX_BYTES = 4 * 1024 * 1024


async def ask(
    method: str,
    url: str,
    *,
    params: Mapping[str, str] | None = None,
    body: object = None,
    headers: Mapping[str, str] | None = None,
) -> str:
    """The text that the engine answers with. Its address is the user's: no gate is in the way.

    Raises ToolError, with the host and the reason and no key, for the model to read.
    """
    import httpx

    host = urlsplit(url).netloc
    text = bytearray()
    try:
        with fail_after(ANSWER_S):
            async with (
                httpx.AsyncClient(timeout=ANSWER_S) as client,
                client.stream(method, url, params=params, json=body, headers=headers) as response,
            ):
                async for part in response.aiter_bytes():
                    text += part
                    if len(text) > _MAX_BYTES:
                        raise ToolError(f"{host} answered with more than {_MAX_BYTES:,} bytes")
    except (TimeoutError, httpx.TimeoutException) as error:
        raise ToolError(f"{host} did not answer within {ANSWER_S:g} seconds") from error
    except httpx.HTTPError as error:
        raise ToolError(f"{host} cannot be asked: {error or type(error).__name__}") from error
    if not response.is_success:
        raise ToolError(f"{host} answered {response.status_code} {response.reason_phrase}")
    return text.decode(response.charset_encoding or "utf-8", "replace")


async def ask_json(method: str, url: str, **options: Any) -> Any:
    """The JSON that the engine answers with; the options are those of `ask`."""
    text = await ask(method, url, **options)
    try:
        return json.loads(text)
    except ValueError as error:
        raise ToolError(f"{urlsplit(url).netloc} answered with no JSON") from error


def read_hits(answer: Any, *path: str, text: Sequence[str]) -> list[Hit]:
    """The results in an engine's JSON; one without an address is passed over.

    path: the keys that lead to the list.
    text: the fields that may hold a passage, the best first; a list of passages is one passage.

    Raises ToolError if there is no such list.
    """
    for key in path:
        answer = cast("dict[str, Any]", answer).get(key) if isinstance(answer, dict) else None
    if not isinstance(answer, list):
        raise ToolError(f"the search engine's answer has no {'.'.join(path)}")
    found = cast("list[object]", answer)
    entries = (cast("dict[str, Any]", one) for one in found if isinstance(one, dict))
    return [
        Hit(str(one["url"]), _words(one.get("title")), _first(_words(one.get(key)) for key in text))
        for one in entries
        if one.get("url")
    ]


def _words(value: Any) -> str:
    if isinstance(value, list):
        return " … ".join(map(str, cast("list[object]", value)))
    return "" if value is None else str(value)


def _first(texts: Iterable[str]) -> str:
    return next(filter(None, texts), "")


def key_of(backend: object, given: str, variable: str) -> str:
    """The key that was given, or that of the environment.

    Raises ToolDefinitionError if there is neither.
    """
    key = given or os.environ.get(variable, "")
    if not key:
        name = type(backend).__name__
        raise ToolDefinitionError(f"{name} needs a key: {name}('...'), or {variable} in the shell")
    return key

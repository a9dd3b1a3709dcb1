"""A vLLM server as an engine: token ids in, token ids out, over HTTP."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import httpx
from pydantic import ValidationError

from ....errors import EngineError, EngineProtocolError
from ....harmony import STOP_TOKENS
from ...shared_resource import SharedResource, UsesSharedResource
from ..constrained import ConstrainedEngine
from ..protocol import Sampled, TurnRequest, max_new_tokens
from ..retry import Backoff, TransientError
from .completions_api import (
    TRANSIENT_STATUSES,
    ChunkReader,
    Models,
    error_from_response,
    request_body,
)

FIRST_CONTACT_S = 3.0
"""How long to retry a URL that has never answered: it is more often wrong than slow."""
DEFAULT_WINDOW = 131_072
"""The window of gpt-oss, for a server that does not report its own."""


class VLLMEngine(UsesSharedResource[httpx.AsyncClient]):
    """The model that a vLLM server serves.

    base_url: the server's URL, with or without `/v1`.
    model: the model's served name; None uses the first one that the server lists.
    api_key: sent as a bearer token, if the server requires one.
    silence_s: seconds that the server may send nothing, also before the first token.
    absence_s: seconds that a server may be unreachable after it has answered once. A turn that
        breaks off resumes from the tokens already received.
    client: makes the httpx client, for your own proxies, headers, certificates or HTTP/2.

    As an async context manager it keeps its connections open between runs.
    """

    def __init__(
        self,
        base_url: str = "http://127.0.0.1:8000",
        *,
        model: str | None = None,
        api_key: str | None = None,
        silence_s: float = 300.0,
        absence_s: float = 120.0,
        client: Callable[[], httpx.AsyncClient] | None = None,
    ) -> None:
        self.base_url = base_url.rstrip("/").removesuffix("/v1")
        if not self.base_url.startswith(("http://", "https://")):
            raise EngineError(
                f"{base_url!r} is not the URL of a server; write it like http://127.0.0.1:8000",
                url=base_url,
            )
        self.model = model
        self._shared = SharedResource(client or self._default_client)
        self._completions = _Completions(self, self._shared, api_key, silence_s, absence_s)
        self._constrained = ConstrainedEngine(self._completions)

    def __repr__(self) -> str:
        return f"VLLMEngine({self.base_url!r}, model={self.model!r})"

    def generate(self, request: TurnRequest) -> AsyncGenerator[Sampled]:
        """Sample one turn; see `Engine.generate`.

        Raises EngineError, or one of its subclasses, with the server's own words.
        """
        return self._constrained.generate(request)

    async def obeys_grammars(self) -> bool:
        """Return whether the server holds a turn to its grammar. Tries it once."""
        return await self._constrained.obeys_grammars()

    async def window(self) -> int:
        """Return the model's window: tokens of the prompt and the turn together."""
        return (await self.served())[1]

    async def served(self) -> tuple[str, int]:
        """Return the model's served name and its window in tokens. Asks the server once."""
        return await self._completions.served()

    def _default_client(self) -> httpx.AsyncClient:
        # A prompt for this machine must not go through a proxy.
        is_local = urlsplit(self.base_url).hostname in {"127.0.0.1", "localhost", "::1"}
        return httpx.AsyncClient(trust_env=not is_local)


class _Completions:
    """The server's completions API as an engine, with retries, but without any constraint."""

    def __init__(
        self,
        engine: VLLMEngine,
        shared: SharedResource[httpx.AsyncClient],
        api_key: str | None,
        silence_s: float,
        absence_s: float,
    ) -> None:
        self._engine = engine
        self._url = engine.base_url
        self._shared = shared
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._timeout = httpx.Timeout(silence_s, connect=10.0)
        self._absence_s = absence_s
        self._served: tuple[str, int] | None = None

    def __repr__(self) -> str:
        return repr(self._engine)

    async def generate(self, request: TurnRequest) -> AsyncGenerator[Sampled]:
        model, window = await self.served()
        start = len(request.prompt)
        budget = max_new_tokens(start, window, request.sampling.max_tokens, url=self._url)
        tokens = list(request.prompt)
        async with self._shared.use() as client:
            backoff = Backoff(self._url, self._absence_s)
            while (end := _end_of_turn(tokens, start, budget)) is None:
                body = request_body(model, tokens, request, budget - (len(tokens) - start))
                reader = ChunkReader(self._url)
                try:
                    async with self._post(client, body) as response:
                        async for data in response.aiter_bytes():
                            for piece in reader.feed(data):
                                backoff.restart(self._absence_s)
                                tokens.extend(piece.tokens)
                                yield piece
                                if piece.finish is not None:
                                    return
                    error = TransientError("the stream ended in the middle of a turn")
                except TransientError as broken:
                    error = broken
                await backoff.wait(error)
                if len(tokens) > start:
                    # A grammar starts where a turn starts, so the rest goes without it.
                    request = replace(request, grammar=None)
            yield end

    async def served(self) -> tuple[str, int]:
        """Return the model's served name and its window in tokens. Asks the server once."""
        if self._served is None:
            async with self._shared.use() as client:
                backoff = Backoff(self._url, min(FIRST_CONTACT_S, self._absence_s))
                while self._served is None:
                    try:
                        self._served = await self._ask_models(client)
                    except TransientError as error:
                        await backoff.wait(error)
        return self._served

    async def _ask_models(self, client: httpx.AsyncClient) -> tuple[str, int]:
        url = f"{self._url}/v1/models"
        try:
            response = await client.get(url, headers=self._headers, timeout=self._timeout)
        except httpx.TransportError as error:
            raise TransientError(_describe(error)) from error
        await self._check(response)
        try:
            models = Models.model_validate_json(response.content)
        except ValidationError as error:
            raise EngineProtocolError(
                f"{url} does not list models the way vLLM does: {response.text[:200]!r}",
                url=self._url,
            ) from error
        model = models.pick(self._engine.model, self._url)
        return model.id, model.max_model_len or DEFAULT_WINDOW

    @asynccontextmanager
    async def _post(
        self, client: httpx.AsyncClient, body: dict[str, Any]
    ) -> AsyncGenerator[httpx.Response]:
        """Open one streamed completion.

        Raises TransientError, also for what fails inside the block, if another request may work.
        """
        url = f"{self._url}/v1/completions"
        try:
            async with client.stream(
                "POST", url, json=body, headers=self._headers, timeout=self._timeout
            ) as response:
                await self._check(response)
                yield response
        except httpx.TransportError as error:
            raise TransientError(_describe(error)) from error

    async def _check(self, response: httpx.Response) -> None:
        if response.status_code == HTTPStatus.OK:
            return
        await response.aread()
        if response.status_code in TRANSIENT_STATUSES:
            raise TransientError(f"HTTP {response.status_code}")
        raise error_from_response(response.status_code, response.text, url=self._url)


def _end_of_turn(tokens: Sequence[int], start: int, budget: int) -> Sampled | None:
    """Return how a turn ended whose last chunk was lost with the connection; None if it goes on."""
    sampled = len(tokens) - start
    if sampled and tokens[-1] in STOP_TOKENS:
        return Sampled(finish="stop")
    return Sampled(finish="length") if sampled >= budget else None


def _describe(error: httpx.TransportError) -> str:
    return str(error) or type(error).__name__

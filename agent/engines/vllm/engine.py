"""A vLLM server as an engine: token ids in, token ids out, over HTTP."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from http import HTTPStatus
from typing import Any, Literal
from urllib.parse import urlsplit

import httpx
from pydantic import ValidationError

from ....errors import EngineError, EngineProtocolError
from ....harmony import STOP_TOKENS
from ...shared_resource import SharedResource
from ..constrained import ConstrainedEngine
from ..protocol import Sampled, Sampling
from ..retry import Backoff, TransientError
from ..window import room
from .completions_api import TRANSIENT, Models, parse_chunk, refusal, request_body

FIRST_CONTACT_S = 3.0
"""How long to knock at a URL that has never answered: it is more often wrong than slow."""
UNKNOWN_WINDOW = 131_072
"""The window of gpt-oss, for a server that does not name the one it serves."""


class VLLMEngine(ConstrainedEngine[httpx.AsyncClient]):
    """The model that a vLLM server hosts.

    base_url: where the server listens, with or without `/v1`.
    model: its served name; None takes the first that the server lists.
    api_key: sent as a bearer token, if the server asks for one.
    silence_s: how long the server may send nothing, before the first token too.
    absence_s: how long a server that has answered before may be away. A turn that breaks off is
        taken up where it stopped, from the tokens already received.
    client: makes the httpx client, for proxies, headers, certificates or HTTP/2 of your own.

    As an async context manager it keeps its connections between runs.
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
                f"{base_url!r} is no server's URL; write it like http://127.0.0.1:8000",
                url=base_url,
            )
        self.model = model
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._timeout = httpx.Timeout(silence_s, connect=10.0)
        self._absence_s = absence_s
        self._shared = SharedResource(client or self._default_client)
        self._known: tuple[str, int] | None = None

    def __repr__(self) -> str:
        return f"VLLMEngine({self.base_url!r}, model={self.model!r})"

    async def _turn(self, prompt: Sequence[int], sampling: Sampling) -> AsyncGenerator[Sampled]:
        model, window = await self.served()
        budget = room(len(prompt), window, sampling.max_tokens, url=self.base_url)
        tape = list(prompt)
        async with self._shared.use() as client:
            patience = Backoff(self.base_url, self._absence_s)
            while (ended := _ended(tape, len(prompt), budget)) is None:
                left = budget - (len(tape) - len(prompt))
                body = request_body(model, tape, sampling, left)
                try:
                    async with aclosing(self._stream(client, body)) as pieces:
                        async for piece in pieces:
                            patience.restart(self._absence_s)
                            tape.extend(piece.tokens)
                            yield piece
                            if piece.finish is not None:
                                return
                except TransientError as broken:
                    await patience.wait(broken)
                    if len(tape) > len(prompt):
                        # A grammar begins where a turn begins; the rest of this one goes without.
                        sampling = replace(sampling, grammar=None)
            yield ended

    async def window(self) -> int:
        """How many tokens the model can see: a prompt, and the turn that follows it."""
        return (await self.served())[1]

    async def served(self) -> tuple[str, int]:
        """The model's served name and its window in tokens. Asks the server once."""
        if self._known is None:
            async with self._shared.use() as client:
                patience = Backoff(self.base_url, min(FIRST_CONTACT_S, self._absence_s))
                while self._known is None:
                    try:
                        self._known = await self._ask_models(client)
                    except TransientError as broken:
                        await patience.wait(broken)
        return self._known

    async def _ask_models(self, client: httpx.AsyncClient) -> tuple[str, int]:
        url = f"{self.base_url}/v1/models"
        try:
            response = await client.get(url, headers=self._headers, timeout=self._timeout)
        except httpx.TransportError as error:
            raise TransientError(_cause(error)) from error
        if response.status_code in TRANSIENT:
            raise TransientError(f"HTTP {response.status_code}")
        if response.status_code != HTTPStatus.OK:
            raise refusal(response.status_code, response.text, url=self.base_url)
        try:
            models = Models.model_validate_json(response.content)
        except ValidationError as error:
            raise EngineProtocolError(
                f"{url} lists no models as vLLM does: {response.text[:200]!r}", url=self.base_url
            ) from error
        picked = models.pick(self.model, self.base_url)
        return picked.id, picked.max_model_len or UNKNOWN_WINDOW

    async def _stream(
        self, client: httpx.AsyncClient, body: dict[str, Any]
    ) -> AsyncGenerator[Sampled]:
        """One request's pieces. Raises TransientError where another request can go on."""
        url = f"{self.base_url}/v1/completions"
        finish: Literal["stop", "length"] | None = None
        try:
            async with client.stream(
                "POST", url, json=body, headers=self._headers, timeout=self._timeout
            ) as response:
                await self._check(response)
                async for line in response.aiter_lines():
                    chunk = parse_chunk(line, self.base_url)
                    if chunk is None:
                        continue
                    for choice in chunk.choices:
                        if choice.finish_reason is not None:
                            finish = "length" if choice.finish_reason == "length" else "stop"
                        yield Sampled(tokens=choice.ids(self.base_url))
                    if chunk.usage is not None and finish is not None:
                        yield Sampled(finish=finish, cached_tokens=chunk.cached_tokens)
        except httpx.TransportError as error:
            raise TransientError(_cause(error)) from error
        raise TransientError("the stream ended in mid-turn")

    async def _check(self, response: httpx.Response) -> None:
        if response.status_code == HTTPStatus.OK:
            return
        await response.aread()
        if response.status_code in TRANSIENT:
            raise TransientError(f"HTTP {response.status_code}")
        raise refusal(response.status_code, response.text, url=self.base_url)

    def _default_client(self) -> httpx.AsyncClient:
        # A prompt for this very machine has no business with a proxy.
        local = urlsplit(self.base_url).hostname in {"127.0.0.1", "localhost", "::1"}
        return httpx.AsyncClient(trust_env=not local)


def _ended(tape: Sequence[int], prompt_tokens: int, budget: int) -> Sampled | None:
    """How a turn ended whose last word was lost with the connection; None if it goes on."""
    sampled = len(tape) - prompt_tokens
    if sampled and tape[-1] in STOP_TOKENS:
        return Sampled(finish="stop")
    return Sampled(finish="length") if sampled >= budget else None


def _cause(error: httpx.TransportError) -> str:
    return str(error) or type(error).__name__

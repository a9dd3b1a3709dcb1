"""The wire format of vLLM's `/v1/completions`, as far as an engine of token ids needs it.

Source: vLLM's OpenAI-compatible server, `return_token_ids`; checked against 0.32.
"""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Literal

from pydantic import BaseModel, ValidationError

from ....errors import EngineError, EngineProtocolError, ModelNotFoundError
from ....harmony import STOP_TOKENS, special
from ..protocol import Sampled, TurnRequest

TRANSIENT_STATUSES = frozenset({408, 429, 502, 503, 504})
"""HTTP statuses after which another request may work."""

MAX_LINE = 16 * 1024 * 1024
"""Bytes that a line of an event stream may have."""

FORBID_ENDOFTEXT = {special.ENDOFTEXT: -100.0}
"""A logit bias. `<|endoftext|>` is not part of harmony, but vLLM accepts it as the end of a turn,
and so does a grammar."""


class _Choice(BaseModel):
    token_ids: list[int] | None = None
    finish_reason: str | None = None


class _PromptDetails(BaseModel):
    cached_tokens: int | None = None


class _Usage(BaseModel):
    prompt_tokens: int = 0
    prompt_tokens_details: _PromptDetails | None = None


class _Error(BaseModel):
    message: str = ""


class Chunk(BaseModel):
    """One `data:` line of a streamed completion."""

    choices: list[_Choice] = []
    usage: _Usage | None = None
    error: _Error | None = None

    @property
    def cached_tokens(self) -> int | None:
        """Tokens served from the prefix cache; None if this chunk does not say."""
        details = self.usage.prompt_tokens_details if self.usage else None
        return details.cached_tokens if details else None


class _Model(BaseModel):
    id: str
    max_model_len: int | None = None


class Models(BaseModel):
    """The reply of `/v1/models`."""

    data: list[_Model]

    def pick(self, name: str | None, url: str) -> _Model:
        """Return the model called `name`, or the first. Raises ModelNotFoundError."""
        for model in self.data:
            if name in {None, model.id}:
                return model
        known = [model.id for model in self.data]
        raise ModelNotFoundError(
            f"there is no model {name!r} at {url}; it serves: {', '.join(known) or 'none'}",
            url=url,
            model=name or "",
            known=known,
        )


class ChunkReader:
    """Reads the bytes of one streamed completion as pieces of a turn."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._finish: Literal["stop", "length"] | None = None
        self._incomplete = b""

    def feed(self, data: bytes) -> list[Sampled]:
        """Return the pieces in the next bytes; the last piece of a turn has `finish`.

        Raises EngineProtocolError if a line is not a chunk with token ids, and EngineError if the
        server reports an error.
        """
        # Only these end a line of an event stream. A chunk may contain other line separators of
        # Unicode as they are.
        *lines, self._incomplete = (self._incomplete + data).split(b"\n")
        if len(self._incomplete) > MAX_LINE:
            raise EngineProtocolError(f"{self._url} sent a line without an end", url=self._url)
        return [piece for line in lines for piece in self._read(line)]

    def _read(self, line: bytes) -> list[Sampled]:
        chunk = parse_chunk(line, self._url)
        if chunk is None:
            return []
        pieces: list[Sampled] = []
        for choice in chunk.choices:
            if choice.finish_reason is not None:
                self._finish = "length" if choice.finish_reason == "length" else "stop"
            if choice.token_ids is None:
                raise EngineProtocolError(
                    f"{self._url} sends text without token ids: ossia needs `return_token_ids`, "
                    "which vLLM has since 0.10.2; update the server",
                    url=self._url,
                )
            pieces.append(Sampled(tokens=tuple(choice.token_ids)))
        if chunk.usage is not None and self._finish is not None:
            pieces.append(Sampled(finish=self._finish, cached_tokens=chunk.cached_tokens))
        return pieces


def parse_chunk(line: bytes, url: str) -> Chunk | None:
    """Parse one line of the event stream; None for a line without data.

    Raises EngineProtocolError if the data is not a chunk, and EngineError if it is an error.
    """
    if not line.startswith(b"data:"):
        return None
    data = line.removeprefix(b"data:").strip()
    if data == b"[DONE]":
        return None
    try:
        chunk = Chunk.model_validate_json(data)
    except ValidationError as error:
        shown = data[:200].decode(errors="replace")
        raise EngineProtocolError(
            f"{url} sent a line that is not a completion chunk: {shown!r}", url=url
        ) from error
    if chunk.error is not None:
        raise EngineError(
            f"{url} failed in the middle of a turn: {chunk.error.message[:500]}", url=url
        )
    return chunk


def request_body(
    model: str, tokens: Sequence[int], request: TurnRequest, max_tokens: int
) -> dict[str, Any]:
    """Return the JSON of one streamed completion.

    tokens: the prompt and what was sampled so far, shape (n,).
    max_tokens: how many tokens may follow.
    """
    sampling = request.sampling
    body: dict[str, Any] = {
        "model": model,
        "prompt": list(tokens),
        "max_tokens": max_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "stop_token_ids": list(STOP_TOKENS),
        "logit_bias": {str(token): bias for token, bias in FORBID_ENDOFTEXT.items()},
        "skip_special_tokens": False,
        "return_token_ids": True,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if sampling.seed is not None:
        body["seed"] = sampling.seed
    if request.grammar is not None:
        body["structured_outputs"] = {"grammar": request.grammar}
    return body


def error_from_response(status: int, text: str, *, url: str) -> EngineError:
    """Return the error for an HTTP status: why the server refused, and what to do."""
    message = _error_message(text)
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return EngineError(
            f"{url} refused the API key (HTTP {status}); pass api_key=...", url=url, status=status
        )
    if status == HTTPStatus.NOT_FOUND and "does not exist" in message:
        return ModelNotFoundError(f"{url}: {message}", url=url, model="", known=())
    if status == HTTPStatus.NOT_FOUND:
        return EngineProtocolError(
            f"{url} does not have this page. Is it a vLLM server, and is this its base URL? "
            f"{message[:200]}",
            url=url,
            status=status,
        )
    return EngineError(f"{url} returned HTTP {status}: {message[:500]}", url=url, status=status)


def _error_message(text: str) -> str:
    try:
        chunk = Chunk.model_validate_json(text)
    except ValidationError:
        return text.strip()
    return chunk.error.message if chunk.error else text.strip()

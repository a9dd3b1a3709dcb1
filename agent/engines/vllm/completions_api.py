"""The lines of vLLM's `/v1/completions`, as far as an engine of token ids reads them.

Source: vLLM's OpenAI-compatible server, `return_token_ids`; checked against 0.32.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, ValidationError

from ....errors import EngineError, EngineProtocolError, ModelNotFoundError
from ....harmony import STOP_TOKENS
from ....harmony.format import special
from ..protocol import Sampling

TRANSIENT = frozenset({408, 429, 502, 503, 504})
"""HTTP statuses after which asking again can help."""


NO_ENDOFTEXT = {special.ENDOFTEXT: -100.0}
"""A logit bias. vLLM takes that token for an end too, and a grammar lets it: it is none of
harmony's."""


class _Choice(BaseModel):
    token_ids: list[int] | None = None
    finish_reason: str | None = None

    def ids(self, url: str) -> tuple[int, ...]:
        """The sampled ids. Raises EngineProtocolError where the server sent text alone."""
        if self.token_ids is None:
            raise EngineProtocolError(
                f"{url} sends text without token ids: ossia needs `return_token_ids`, which vLLM "
                "has since 0.10.2; update the server",
                url=url,
            )
        return tuple(self.token_ids)


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
        """What the prefix cache served, where this chunk says so."""
        details = self.usage.prompt_tokens_details if self.usage else None
        return details.cached_tokens if details else None


class _Model(BaseModel):
    id: str
    max_model_len: int | None = None


class Models(BaseModel):
    """What `/v1/models` lists."""

    data: list[_Model]

    def pick(self, name: str | None, url: str) -> _Model:
        """The model called `name`, or the first. Raises ModelNotFoundError."""
        for model in self.data:
            if name in {None, model.id}:
                return model
        known = [model.id for model in self.data]
        raise ModelNotFoundError(
            f"no model {name!r} at {url}; it serves: {', '.join(known) or 'none'}",
            url=url,
            model=name or "",
            known=known,
        )


def request_body(
    model: str, prompt: Sequence[int], sampling: Sampling, max_tokens: int
) -> dict[str, Any]:
    """The JSON of one streamed completion from token ids to token ids."""
    body: dict[str, Any] = {
        "model": model,
        "prompt": list(prompt),
        "max_tokens": max_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "stop_token_ids": list(STOP_TOKENS),
        "logit_bias": {str(token): bias for token, bias in NO_ENDOFTEXT.items()},
        "skip_special_tokens": False,
        "return_token_ids": True,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if sampling.seed is not None:
        body["seed"] = sampling.seed
    if sampling.grammar is not None:
        body["structured_outputs"] = {"structural_tag": json.dumps(sampling.grammar)}
    return body


def parse_chunk(line: str, url: str) -> Chunk | None:
    """One line of the event stream; None for what carries nothing.

    Raises EngineProtocolError for what is no chunk, EngineError for an error in mid-stream.
    """
    if not line.startswith("data:"):
        return None
    data = line.removeprefix("data:").strip()
    if data == "[DONE]":
        return None
    try:
        chunk = Chunk.model_validate_json(data)
    except ValidationError as error:
        raise EngineProtocolError(
            f"{url} sent a line that is no completion chunk: {data[:200]!r}", url=url
        ) from error
    if chunk.error is not None:
        raise EngineError(f"{url} gave up in mid-turn: {chunk.error.message[:500]}", url=url)
    return chunk


def refusal(status: int, text: str, *, url: str) -> EngineError:
    """The error that says why the server refused, and what to do."""
    message = _message(text)
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return EngineError(
            f"{url} refused the API key (HTTP {status}); pass api_key=…", url=url, status=status
        )
    if status == HTTPStatus.NOT_FOUND and "does not exist" in message:
        return ModelNotFoundError(f"{url}: {message}", url=url, model="", known=())
    if status == HTTPStatus.NOT_FOUND:
        return EngineProtocolError(
            f"{url} has no such page: is it a vLLM server, and the URL its root? {message[:200]}",
            url=url,
            status=status,
        )
    return EngineError(f"{url} answered HTTP {status}: {message[:500]}", url=url, status=status)


def _message(text: str) -> str:
    try:
        chunk = Chunk.model_validate_json(text)
    except ValidationError:
        return text.strip()
    return chunk.error.message if chunk.error else text.strip()

"""Search with exa.ai."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from .backend import Hit
from .http_api import parse_hits, request_json, require_api_key


@dataclass(frozen=True)
class Exa:
    """Search with exa.ai, which summarizes the pages."""

    api_key: str = field(default="", repr=False)
    """Empty: use the environment variable EXA_API_KEY."""
    url: str = "https://api.exa.ai/search"

    def __post_init__(self) -> None:
        object.__setattr__(self, "api_key", require_api_key(self, self.api_key, "EXA_API_KEY"))

    async def search(self, query: str, *, topn: int) -> Sequence[Hit]:
        """Search and return a summary of each page."""
        body = {"query": query, "numResults": topn, "contents": {"summary": True}}
        headers = {"x-api-key": self.api_key}
        response = await request_json("POST", self.url, body=body, headers=headers)
        return parse_hits(response, "results", text=("summary", "text"))[:topn]

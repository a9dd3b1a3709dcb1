"""Search with tavily.com."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from .backend import Hit
from .http_api import parse_hits, request_json, require_api_key


@dataclass(frozen=True)
class Tavily:
    """Search with tavily.com, a search engine for language models."""

    api_key: str = field(default="", repr=False)
    """Empty: use the environment variable TAVILY_API_KEY."""
    url: str = "https://api.tavily.com/search"

    def __post_init__(self) -> None:
        object.__setattr__(self, "api_key", require_api_key(self, self.api_key, "TAVILY_API_KEY"))

    async def search(self, query: str, *, topn: int) -> Sequence[Hit]:
        """Search and return the passages that match the query."""
        body = {"query": query, "max_results": topn}
        headers = {"Authorization": f"Bearer {self.api_key}"}
        response = await request_json("POST", self.url, body=body, headers=headers)
        return parse_hits(response, "results", text=("content",))[:topn]

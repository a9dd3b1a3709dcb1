"""Search with you.com."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from .backend import Hit
from .http_api import parse_hits, request_json, require_api_key


@dataclass(frozen=True)
class YouCom:
    """Search with you.com, for web pages and news."""

    api_key: str = field(default="", repr=False)
    """Empty: use the environment variable YDC_API_KEY."""
    url: str = "https://api.ydc-index.io/v1/search"

    def __post_init__(self) -> None:
        object.__setattr__(self, "api_key", require_api_key(self, self.api_key, "YDC_API_KEY"))

    async def search(self, query: str, *, topn: int) -> Sequence[Hit]:
        """Search and return the snippets of web pages and the descriptions of news."""
        params = {"query": query, "count": str(topn)}
        headers = {"X-API-Key": self.api_key}
        response = await request_json("GET", self.url, params=params, headers=headers)
        sections = [name for name in ("web", "news") if name in response.get("results", {})]
        fields = ("snippets", "description")
        hits = [parse_hits(response, "results", name, text=fields) for name in sections]
        return [hit for section in hits for hit in section][:topn]

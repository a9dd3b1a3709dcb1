"""Search with an instance of SearXNG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .backend import Hit
from .http_api import parse_hits, request_json


@dataclass(frozen=True)
class SearXNG:
    """Search with an instance of SearXNG that returns JSON.

    Its settings.yml must contain `search: {formats: [html, json]}`. Most public instances do not
    allow JSON; `docker run -p 8080:8080 searxng/searxng` starts one of your own.
    """

    url: str
    """The instance's URL: `http://127.0.0.1:8080`."""

    async def search(self, query: str, *, topn: int) -> Sequence[Hit]:
        """Search with the engines that the instance is configured for."""
        url = f"{self.url.rstrip('/')}/search"
        response = await request_json("GET", url, params={"q": query, "format": "json"})
        return parse_hits(response, "results", text=("content",))[:topn]

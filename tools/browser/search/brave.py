"""Search with Brave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from selectolax.lexbor import LexborHTMLParser

from .backend import Hit
from .http_api import parse_hits, request_json, require_api_key


@dataclass(frozen=True)
class Brave:
    """Search with Brave."""

    api_key: str = field(default="", repr=False)
    """Empty: use the environment variable BRAVE_API_KEY."""
    url: str = "https://api.search.brave.com/res/v1/web/search"

    def __post_init__(self) -> None:
        object.__setattr__(self, "api_key", require_api_key(self, self.api_key, "BRAVE_API_KEY"))

    async def search(self, query: str, *, topn: int) -> Sequence[Hit]:
        """Search web pages. Brave's titles and descriptions are HTML."""
        params = {"q": query, "count": str(topn), "text_decorations": "false"}
        headers = {"X-Subscription-Token": self.api_key, "Accept": "application/json"}
        response = await request_json("GET", self.url, params=params, headers=headers)
        hits = parse_hits(response, "web", "results", text=("description",))[:topn]
        return [Hit(hit.url, _html_text(hit.title), _html_text(hit.text)) for hit in hits]


def _html_text(html: str) -> str:
    root = LexborHTMLParser(html).body
    return root.text() if root is not None else ""

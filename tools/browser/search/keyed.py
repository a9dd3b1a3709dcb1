"""Search engines that ask for a key, given or in the environment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from .backend import Hit
from .http_api import ask_json, key_of, read_hits

_PASSAGES = ("snippets", "description")


@dataclass(frozen=True)
class Exa:
    """exa.ai, with its own summaries of the pages."""

    api_key: str = field(default="", repr=False)
    """Empty: EXA_API_KEY of the environment."""
    url: str = "https://api.exa.ai/search"

    def __post_init__(self) -> None:
        object.__setattr__(self, "api_key", key_of(self, self.api_key, "EXA_API_KEY"))

    async def search(self, query: str, *, topn: int) -> Sequence[Hit]:
        """Search, and have each page summed up."""
        body = {"query": query, "numResults": topn, "contents": {"summary": True}}
        answer = await ask_json("POST", self.url, body=body, headers={"x-api-key": self.api_key})
        return read_hits(answer, "results", text=("summary", "text"))[:topn]


@dataclass(frozen=True)
class Brave:
    """Brave's search."""

    api_key: str = field(default="", repr=False)
    """Empty: BRAVE_API_KEY of the environment."""
    url: str = "https://api.search.brave.com/res/v1/web/search"

    def __post_init__(self) -> None:
        object.__setattr__(self, "api_key", key_of(self, self.api_key, "BRAVE_API_KEY"))

    async def search(self, query: str, *, topn: int) -> Sequence[Hit]:
        """Search the web's pages; its summaries are HTML."""
        params = {"q": query, "count": str(topn), "text_decorations": "false"}
        headers = {"X-Subscription-Token": self.api_key, "Accept": "application/json"}
        answer = await ask_json("GET", self.url, params=params, headers=headers)
        found = read_hits(answer, "web", "results", text=("description",))[:topn]
        return [Hit(one.url, _plain(one.title), _plain(one.text)) for one in found]


@dataclass(frozen=True)
class YouCom:
    """you.com, web pages and news."""

    api_key: str = field(default="", repr=False)
    """Empty: YDC_API_KEY of the environment."""
    url: str = "https://api.ydc-index.io/v1/search"

    def __post_init__(self) -> None:
        object.__setattr__(self, "api_key", key_of(self, self.api_key, "YDC_API_KEY"))

    async def search(self, query: str, *, topn: int) -> Sequence[Hit]:
        """Search; of a web page its snippets are shown, of news its description."""
        params = {"query": query, "count": str(topn)}
        answer = await ask_json("GET", self.url, params=params, headers={"X-API-Key": self.api_key})
        kinds = [kind for kind in ("web", "news") if kind in answer.get("results", {})]
        found = [read_hits(answer, "results", kind, text=_PASSAGES) for kind in kinds]
        return [hit for hits in found for hit in hits][:topn]


@dataclass(frozen=True)
class Tavily:
    """tavily.com, made for language models."""

    api_key: str = field(default="", repr=False)
    """Empty: TAVILY_API_KEY of the environment."""
    url: str = "https://api.tavily.com/search"

    def __post_init__(self) -> None:
        object.__setattr__(self, "api_key", key_of(self, self.api_key, "TAVILY_API_KEY"))

    async def search(self, query: str, *, topn: int) -> Sequence[Hit]:
        """Search; the passages that fit the query are shown."""
        body = {"query": query, "max_results": topn}
        headers = {"Authorization": f"Bearer {self.api_key}"}
        answer = await ask_json("POST", self.url, body=body, headers=headers)
        return read_hits(answer, "results", text=("content",))[:topn]


def _plain(html: str) -> str:
    """The text of a piece of HTML."""
    from selectolax.lexbor import LexborHTMLParser

    root = LexborHTMLParser(html).body
    return root.text() if root is not None else ""

"""Search engines that ask for no key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs, urljoin, urlsplit

from ....errors import ToolError
from .backend import Hit
from .http_api import ask, ask_json, read_hits


@dataclass(frozen=True)
class SearXNG:
    """Any instance of SearXNG that gives its results as JSON.

    Its settings.yml has to allow it: `search: {formats: [html, json]}`; most public instances
    do not, one of your own takes one command: `docker run -p 8080:8080 searxng/searxng`.
    """

    url: str
    """Where the instance is: `http://127.0.0.1:8080`."""

    async def search(self, query: str, *, topn: int) -> Sequence[Hit]:
        """Search by the engines that the instance is set up with."""
        url = f"{self.url.rstrip('/')}/search"
        answer = await ask_json("GET", url, params={"q": query, "format": "json"})
        return read_hits(answer, "results", text=("content",))[:topn]


@dataclass(frozen=True)
class DuckDuckGo:
    """DuckDuckGo's page for browsers without JavaScript; a few searches a minute, no more."""

    url: str = "https://html.duckduckgo.com/html/"

    async def search(self, query: str, *, topn: int) -> Sequence[Hit]:
        """Search, without the advertisements."""
        from selectolax.lexbor import LexborHTMLParser

        headers = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101"}
        page = LexborHTMLParser(await ask("GET", self.url, params={"q": query}, headers=headers))
        if page.css_first("#challenge-form, .anomaly-modal__mask"):
            raise ToolError("DuckDuckGo asks whether we are human; wait, or search for less")
        hits: list[Hit] = []
        for result in page.css(".result:not(.result--ad)"):
            link, snippet = result.css_first("a.result__a"), result.css_first(".result__snippet")
            if link is not None and len(hits) < topn:
                target = _target(urljoin(self.url, link.attributes.get("href") or ""))
                hits.append(Hit(target, link.text(), snippet.text() if snippet else ""))
        return hits


def _target(link: str) -> str:
    """Where a result leads in the end: its links pass through a counter of DuckDuckGo's."""
    (target,) = parse_qs(urlsplit(link).query).get("uddg", [link])[:1]
    return target

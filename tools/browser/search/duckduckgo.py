"""Search with DuckDuckGo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs, urljoin, urlsplit

from selectolax.lexbor import LexborHTMLParser

from ....errors import ToolError
from .backend import Hit
from .http_api import request_text

_HEADERS = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101"}


@dataclass(frozen=True)
class DuckDuckGo:
    """Search with DuckDuckGo's page for browsers without JavaScript.

    It needs no key, but allows only a few searches a minute.
    """

    url: str = "https://html.duckduckgo.com/html/"

    async def search(self, query: str, *, topn: int) -> Sequence[Hit]:
        """Search and return the results without advertisements."""
        html = await request_text("GET", self.url, params={"q": query}, headers=_HEADERS)
        page = LexborHTMLParser(html)
        if page.css_first("#challenge-form, .anomaly-modal__mask"):
            raise ToolError("DuckDuckGo returned a CAPTCHA; wait before you search again")
        hits: list[Hit] = []
        for result in page.css(".result:not(.result--ad)"):
            link, snippet = result.css_first("a.result__a"), result.css_first(".result__snippet")
            if link is not None and len(hits) < topn:
                url = _target_url(urljoin(self.url, link.attributes.get("href") or ""))
                hits.append(Hit(url, link.text(), snippet.text() if snippet else ""))
        return hits


def _target_url(link: str) -> str:
    """Return where a result leads. Its link is a redirect through DuckDuckGo."""
    (target,) = parse_qs(urlsplit(link).query).get("uddg", [link])[:1]
    return target

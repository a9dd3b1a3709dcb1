"""The robots.txt files of sites, for users who want to respect them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit
from urllib.robotparser import RobotFileParser

from ....errors import ToolError
from .http import HttpFetcher, fetch_error

ROBOT_NAME = "ossia"
"""The user agent that a robots.txt can address."""


@dataclass(frozen=True, slots=True)
class RobotsTxt:
    """The robots.txt of every site that a run visits. Each file is fetched once."""

    _rules: dict[str, RobotFileParser | None] = field(
        default_factory=dict[str, "RobotFileParser | None"]
    )

    async def check(self, url: str, http: HttpFetcher) -> None:
        """Raise ToolError, for the model to read, if the site disallows the page."""
        robots_url = urljoin(url, "/robots.txt")
        if robots_url not in self._rules:
            self._rules[robots_url] = await _fetch_rules(robots_url, http)
        rules = self._rules[robots_url]
        if rules is not None and not rules.can_fetch(ROBOT_NAME, url):
            host = urlsplit(url).netloc
            raise fetch_error(url, f"the robots.txt of {host} disallows this page")


async def _fetch_rules(robots_url: str, http: HttpFetcher) -> RobotFileParser | None:
    """Return a site's rules, or None if it has none. Fetching the page reports other failures."""
    try:
        document = await http.fetch(robots_url)
    except ToolError:
        return None
    if document.is_error:
        return None
    rules = RobotFileParser(robots_url)
    rules.parse(re.split(r"\r\n?|\n", document.text))
    return rules

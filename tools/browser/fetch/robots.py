"""What sites wish to be left alone, for whoever wishes to honour it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit
from urllib.robotparser import RobotFileParser

from ....errors import ToolError

if TYPE_CHECKING:
    from .http import Http

NAME = "ossia"
"""The name that a robots.txt may address us by."""


@dataclass(frozen=True, slots=True)
class Robots:
    """The robots.txt of every site that a run visits, each read once."""

    _known: dict[str, RobotFileParser | None] = field(
        default_factory=dict[str, "RobotFileParser | None"]
    )

    async def check(self, url: str, http: Http) -> None:
        """Raise ToolError, for the model to read, if the site does not want the page visited."""
        site = urljoin(url, "/robots.txt")
        if site not in self._known:
            self._known[site] = await _read(site, http)
        rules = self._known[site]
        if rules is not None and not rules.can_fetch(NAME, url):
            raise ToolError(
                f"Error fetching URL `{url[:1024]}`: {urlsplit(url).netloc} asks robots, by its "
                "robots.txt, not to visit this page"
            )


async def _read(site: str, http: Http) -> RobotFileParser | None:
    """The rules of a site; None if it has none, or does not answer: the page will tell why."""
    try:
        document = await http.get(site)
    except ToolError:
        return None
    rules = RobotFileParser(site)
    rules.parse(document.text.splitlines())
    return rules

"""The browser tool that gpt-oss was trained with."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal, cast

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError, model_validator

from ...errors import ToolError
from ...harmony import Message, ToolNamespace
from ..citations import Citation
from ..functions import extract_arguments, invalid_arguments_error
from ..protocol import OpenTool, RunContext, Tool, ToolReturn
from .citations import find_citations
from .declaration import browser_namespace
from .fetch import Chromium
from .search import SearchBackend
from .searched_web import SearchedWeb
from .session import Browsing, Web


@dataclass(frozen=True, kw_only=True)
class BrowserTool(Tool):
    """A text browser: search, open, find. Each run has pages of its own.

    Only the public internet can be reached, whatever a page, a redirect or a name server says.
    """

    search: SearchBackend | None = None
    """What finds pages: `SearXNG(url)`, `DuckDuckGo()`, `LocalSearch(folder)`, `Exa()`, `Brave()`,
    `YouCom()`, `Tavily()`, or your own. None: the model can open addresses, and is not offered
    any search."""
    fetch: Literal["auto", "http", "chromium"] = "auto"
    """How pages come: `auto` takes plain HTTP first, and Chromium for those that JavaScript builds;
    `http` and `chromium` take the one alone."""
    chromium: Chromium | None = None
    """An open `Chromium` whose process many runs share; None: each run that needs one starts its
    own."""
    allow_hosts: Sequence[str] = ()
    """Hosts that may be private: `intranet.example`, `127.0.0.1:8765`, `.corp.example`."""
    only_hosts: Sequence[str] = ()
    """If there are any, no other host is opened; `.example.org` stands for all below it."""
    deny_hosts: Sequence[str] = ()
    """Hosts that are never opened."""
    robots: bool = False
    """Whether the sites' robots.txt is honoured."""
    fetch_s: float = 30.0
    """Seconds that a page may take over HTTP."""

    @property
    def namespace(self) -> ToolNamespace:
        """The trained description."""
        return browser_namespace(search=self.search is not None)

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[OpenTool]:
        """Begin without any page.

        Raises BrowserUnavailableError if pages are to come by Chromium, and there is none.
        """
        from .fetch import (
            Http,  # heavy, and of no use to a tool that no run opens
            Pages,
            Robots,
        )
        from .network import NetworkPolicy

        hosts = (self.allow_hosts, self.only_hosts, self.deny_hosts)
        http = Http(NetworkPolicy(*map(tuple, hosts)), self.fetch_s)
        async with AsyncExitStack() as stack:
            chromium = self.chromium
            if chromium is None:
                chromium = await stack.enter_async_context(Chromium())
            if self.fetch == "chromium":
                chromium.find()
            pages = Pages(http, chromium, self.fetch, Robots() if self.robots else None)
            yield Browser(SearchedWeb(pages, self.search))


class Browser(OpenTool):
    """The browser during one run."""

    def __init__(self, web: Web) -> None:
        self._browsing = Browsing(web)
        self._told = 0

    async def call(self, call: Message, context: RunContext[Any]) -> ToolReturn:  # noqa: ARG002
        """Do what the call asks, and show what there is to see."""
        recipient = call.recipient or ""
        function = recipient.rpartition(".")[2]
        try:
            arguments = _ARGUMENTS[function].model_validate_json(extract_arguments(call.text))
        except ValidationError as error:
            raise ToolError(invalid_arguments_error(recipient, error)) from error
        act = getattr(self._browsing, function)
        try:
            return ToolReturn(await act(**arguments.model_dump(exclude={"source"})))
        except ToolError as error:
            # Told as it is, without a word before it: so the model knows it from its training.
            return ToolReturn(str(error), failed=True)

    def citations(self, answer: str) -> tuple[Citation, ...]:
        """What the answer points at in the pages that were shown."""
        return find_citations(answer, self._browsing.history.displays)

    def changes(self) -> list[Any] | None:
        """What was shown since this was last asked."""
        history = self._browsing.history
        shown = history.since(self._told)
        self._told = history.next_cursor
        return shown or None

    def restore(self, changes: Sequence[Any]) -> None:
        """Go on with the pages of an earlier run."""
        for shown in changes:
            self._browsing.history.extend(shown)
        self._told = self._browsing.history.next_cursor


class _Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid")

    source: str | None = None
    """Where to search or open, if there were several places; there is the web alone."""

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, given: Any) -> Any:
        """What is null was not given: models write it for what they leave open."""
        if not isinstance(given, dict):
            return given
        entries = cast("dict[str, Any]", given).items()
        return {name: value for name, value in entries if value is not None}


class _Search(_Arguments):
    query: str
    topn: int = Field(10, validation_alias=AliasChoices("topn", "top_n"))


class _Open(_Arguments):
    id: int | str = -1
    cursor: int = -1
    loc: int = -1
    num_lines: int = -1
    view_source: bool = False


class _Find(_Arguments):
    pattern: str
    cursor: int = -1


_ARGUMENTS: dict[str, type[_Arguments]] = {"search": _Search, "open": _Open, "find": _Find}

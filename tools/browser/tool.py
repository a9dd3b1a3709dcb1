"""The browser tool that gpt-oss was trained with."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal, cast

from anyio import to_thread
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError, model_validator

from ...errors import ToolError
from ...harmony import Message, ToolNamespace
from ..citations import Citation
from ..functions import extract_arguments, invalid_arguments_error
from ..interface import check_method
from ..protocol import OpenTool, RunContext, Tool, ToolReturn
from .citations import find_citations
from .declaration import browser_namespace
from .fetch import Chromium, HttpFetcher, PageFetcher, RobotsTxt
from .network import NetworkPolicy
from .search import SearchBackend
from .searched_web import SearchedWeb
from .session import BrowserSession, PageSource


@dataclass(frozen=True, kw_only=True)
class BrowserTool(Tool):
    """A text browser with three functions: search, open and find. Each run has its own pages.

    It connects only to the public internet, regardless of what a page, a redirect or a name server
    says.
    """

    search: SearchBackend | None = None
    """The search backend: `SearXNG(url)`, `DuckDuckGo()`, `LocalSearch(folder)`, `Exa()`,
    `Brave()`, `YouCom()`, `Tavily()`, or your own. None: the model cannot search, only open
    URLs."""
    fetch: Literal["auto", "http", "chromium"] = "auto"
    """How to load pages: `http` uses plain HTTP, `chromium` runs their scripts in Chromium. `auto`
    tries HTTP first, then Chromium if a page needs JavaScript."""
    chromium: Chromium | None = None
    """An open `Chromium` that several runs share. None: each run that needs one starts its own."""
    allow_hosts: Sequence[str] = ()
    """Hosts that may have private addresses: `intranet.example`, `127.0.0.1:8765`,
    `.corp.example`."""
    only_hosts: Sequence[str] = ()
    """If not empty, no other hosts can be opened. `.example.org` matches every subdomain."""
    deny_hosts: Sequence[str] = ()
    """Hosts that cannot be opened."""
    robots: bool = False
    """Whether to respect robots.txt."""
    fetch_s: float = 30.0
    """Timeout in seconds for a page over plain HTTP."""

    def __post_init__(self) -> None:
        if self.search is not None:
            check_method(self.search, SearchBackend.search)

    @property
    def namespace(self) -> ToolNamespace:
        """The trained declaration."""
        return browser_namespace(search=self.search is not None)

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[OpenTool]:
        """Open a browser without pages for one run.

        Raises BrowserUnavailableError if `fetch` is `chromium` and Chromium is not installed.
        """
        # Every run needs httpx, and importing it here would block the event loop.
        await to_thread.run_sync(import_module, "httpx")
        hosts = (self.allow_hosts, self.only_hosts, self.deny_hosts)
        http = HttpFetcher(NetworkPolicy(*map(tuple, hosts)), self.fetch_s)
        async with AsyncExitStack() as stack:
            chromium = self.chromium
            if chromium is None:
                chromium = await stack.enter_async_context(Chromium())
            if self.fetch == "chromium":
                chromium.find_executable()
            robots = RobotsTxt() if self.robots else None
            fetcher = PageFetcher(http, chromium, self.fetch, robots)
            yield OpenBrowser(SearchedWeb(fetcher, self.search))


class OpenBrowser(OpenTool):
    """The browser during one run."""

    def __init__(self, pages: PageSource) -> None:
        self._session = BrowserSession(pages)
        self._reported = 0
        """The first cursor that `changes` has not returned yet."""

    async def call(self, call: Message, context: RunContext[Any]) -> ToolReturn:  # noqa: ARG002
        """Execute a tool call and return its display."""
        recipient = call.recipient or ""
        function_name = recipient.rpartition(".")[2]
        try:
            arguments = _ARGUMENTS[function_name].model_validate_json(extract_arguments(call.text))
        except ValidationError as error:
            raise ToolError(invalid_arguments_error(recipient, error)) from error
        function = getattr(self._session, function_name)
        try:
            return ToolReturn(await function(**arguments.model_dump(exclude={"source"})))
        except ToolError as error:
            # Without "Error: ", as in the model's training.
            return ToolReturn(str(error), failed=True)

    def citations(self, answer: str) -> tuple[Citation, ...]:
        """Return the answer's citations of displayed pages."""
        return find_citations(answer, self._session.history.displays)

    def changes(self) -> list[Any] | None:
        """Return the displays since the last call, or None if there are none."""
        history = self._session.history
        displays = history.export_since(self._reported)
        self._reported = history.next_cursor
        return displays or None

    def restore(self, changes: Sequence[Any]) -> None:
        """Restore the displays of an interrupted run."""
        for displays in changes:
            self._session.history.restore(displays)
        self._reported = self._session.history.next_cursor


class _Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid")

    source: str | None = None
    """Declared in training, and ignored: the web is the only source."""

    @model_validator(mode="before")
    @classmethod
    def _drop_nulls(cls, arguments: Any) -> Any:
        """Drop arguments that are null: models write it for the default."""
        if not isinstance(arguments, dict):
            return arguments
        entries = cast("dict[str, Any]", arguments).items()
        return {name: value for name, value in entries if value is not None}


class _SearchArguments(_Arguments):
    query: str
    topn: int = Field(10, validation_alias=AliasChoices("topn", "top_n"))


class _OpenArguments(_Arguments):
    id: int | str = -1
    cursor: int = -1
    loc: int = -1
    num_lines: int = -1
    view_source: bool = False


class _FindArguments(_Arguments):
    pattern: str
    cursor: int = -1


_ARGUMENTS: dict[str, type[_Arguments]] = {
    "search": _SearchArguments,
    "open": _OpenArguments,
    "find": _FindArguments,
}

"""Pages that are built by JavaScript, through an installed Chromium."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import anyio
import structlog

from ....errors import BrowserUnavailableError, ToolError
from ..text import Document
from .dom_snapshot import built

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page, Playwright

    from ..network import NetworkPolicy

log = structlog.get_logger()

QUIET_S = 4.0
"""Seconds that a loaded page may go on to fetch things."""
READ_S = 3.0
"""Seconds after which scripts that let nothing else happen are ended."""
STOP_S = 10.0
START_S = 30.0
HEAP_MIB = 512
"""What the scripts of a page may hold; beyond it the page crashes, and nothing else."""

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge")
_PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
# Every connection is the proxy's to make: no name is resolved here, and nothing goes past it.
_ARGUMENTS = (
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--dns-prefetch-disable",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    "--no-pings",
    # What makes the looks of a page is not loaded. To ask here about each request would take longer
    # than the requests; only sounds and films are asked about, for which there is no switch.
    "--blink-settings=imagesEnabled=false",
    "--disable-remote-fonts",
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
    f"--js-flags=--max-old-space-size={HEAP_MIB}",
)
# Until a page names its own, there is a proxy where nobody answers.
_NOWHERE = "http://127.0.0.1:1"
# A dialog would hold the page until somebody answers it.
_NO_DIALOGS = "alert = print = () => {}; confirm = () => false; prompt = () => null;"
_REASON = re.compile(r"net::(ERR_\w+)")


@dataclass(eq=False)
class Chromium:
    """An installed Chromium or Chrome, started when a page first needs it.

    One process serves every run inside its `async with`; each page has a context of its own, with
    no cookies and no cache from any other.
    """

    executable: Path | str | None = None
    """None: the first that is found of Chromium, Chrome and Edge."""
    load_s: float = field(default=15.0, kw_only=True)
    """Seconds for a page's first bytes, and again for the rest; then it is read as it stands."""
    _playwright: Playwright | None = field(default=None, init=False, repr=False)
    _browser: Browser | None = field(default=None, init=False, repr=False)
    _starting: anyio.Lock = field(default_factory=anyio.Lock, init=False, repr=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        with anyio.move_on_after(STOP_S, shield=True):
            if self._browser is not None:
                await self._browser.close()
            if self._playwright is not None:
                await self._playwright.stop()
        self._browser = self._playwright = None

    def find(self) -> str:
        """The program that is started.

        Raises BrowserUnavailableError if there is none.
        """
        named = [str(self.executable)] if self.executable else [*_NAMES, *_PLACES]
        for name in named:
            if found := shutil.which(name):
                return found
        if self.executable:
            raise BrowserUnavailableError(f"there is no program {str(self.executable)!r}")
        raise BrowserUnavailableError(
            "there is no Chromium or Chrome here; apt-get install chromium, or name one: "
            "Chromium('/path/to/chrome')"
        )

    async def load(self, url: str, gate: NetworkPolicy) -> Document | None:
        """The page as its scripts have built it; None if it is no page, but a file.

        Raises ToolError with what the model should read, BrowserUnavailableError if there is no
        browser to start.
        """
        from playwright.async_api import Error as PlaywrightError

        for attempt in range(2):
            browser = await self.start()
            try:
                return await _load(url, gate, browser, self.load_s)
            except PlaywrightError as error:
                if "Download is starting" in error.message:
                    return None
                if browser.is_connected():
                    raise ToolError(_told(error.message)) from error
                log.warning("browser_crashed", attempt=attempt)
        raise ToolError("the browser crashed on it, twice")

    async def start(self) -> Browser:
        """The browser, as Playwright has it; started if it does not run.

        Raises BrowserUnavailableError if it cannot be.
        """
        from playwright.async_api import Error as PlaywrightError
        from playwright.async_api import async_playwright

        async with self._starting:
            if self._browser is not None and self._browser.is_connected():
                return self._browser
            program = self.find()
            try:
                with anyio.fail_after(START_S):
                    if self._playwright is None:
                        self._playwright = await async_playwright().start()
                    self._browser = await self._playwright.chromium.launch(
                        executable_path=program,
                        args=_ARGUMENTS,
                        # Chromium's own sandbox does not work for root.
                        chromium_sandbox=os.geteuid() != 0,
                        proxy={"server": _NOWHERE},
                    )
            except (PlaywrightError, TimeoutError) as error:
                reason = str(error).strip().partition("\n")[0]
                raise BrowserUnavailableError(f"{program} did not start: {reason}") from error
            return self._browser


async def _load(url: str, gate: NetworkPolicy, browser: Browser, load_s: float) -> Document:
    """One page in a context of its own, behind a proxy of its own."""
    from ..network import GateProxy  # h11 and httpcore

    proxy = GateProxy(gate)

    async def visit(address: str) -> Document:
        async with _open_page(browser, address) as page:
            return await _read(page, url, load_s)

    try:
        return await proxy.serve_during(visit)
    except ToolError as error:
        raise ToolError(proxy.refusals[-1]) if proxy.refusals else error from error


@asynccontextmanager
async def _open_page(browser: Browser, proxy: str) -> AsyncGenerator[Page]:
    context = await browser.new_context(
        proxy={"server": proxy}, service_workers="block", accept_downloads=False, locale="en-US"
    )
    try:
        await context.add_init_script(_NO_DIALOGS)
        page = await context.new_page()
        # Whatever else a page opens is closed at once.
        context.on("page", lambda popup: popup.close())
        yield page
    finally:
        with anyio.move_on_after(STOP_S, shield=True):
            await context.close()


async def _read(page: Page, url: str, load_s: float) -> Document:
    """Load a page, wait until it is quiet, but not for ever, and take it as it stands."""
    from playwright.async_api import TimeoutError as PlaywrightTimeoutError

    # Once a script runs for ever, it is too late to ask for this.
    control: Any = await page.context.new_cdp_session(page)
    control.on("Fetch.requestPaused", partial(_refuse, control))
    await control.send("Fetch.enable", {"patterns": [{"resourceType": "Media"}]})
    try:
        response = await page.goto(url, wait_until="commit", timeout=1e3 * load_s)
    except PlaywrightTimeoutError as error:
        raise ToolError(f"it took longer than {load_s:g} seconds") from error
    if response is not None and response.status >= 400:
        raise ToolError(f"the server answered {response.status}")
    with suppress(PlaywrightTimeoutError):  # it is read all the same
        await page.wait_for_load_state("domcontentloaded", timeout=1e3 * load_s)
        await page.wait_for_load_state("networkidle", timeout=1e3 * QUIET_S)
    for _ in range(3):
        with anyio.move_on_after(READ_S):
            html = await built(page, control)
            return Document(page.url, "text/html", html.encode(), "utf-8")
        with anyio.move_on_after(READ_S):
            await control.send("Emulation.setScriptExecutionDisabled", {"value": True})
            await control.send("Runtime.terminateExecution")
    raise ToolError("its scripts never end")


async def _refuse(control: Any, paused: dict[str, str]) -> None:
    from playwright.async_api import Error as PlaywrightError

    refusal = {"requestId": paused["requestId"], "errorReason": "BlockedByClient"}
    with suppress(PlaywrightError):  # the page may be gone
        await control.send("Fetch.failRequest", refusal)


def _told(message: str) -> str:
    """What Playwright says, without its log of the call."""
    if "crashed" in message:
        return "its scripts crash the browser"
    reason = _REASON.search(message)
    said = reason[1] if reason else message.partition("\n")[0]
    return f"the browser could not load it: {said}"

"""Pages that JavaScript builds, loaded in an installed Chromium."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import anyio
from anyio import to_thread

from ....errors import BrowserUnavailableError, ToolError
from ....sandbox import get_logger
from ..network import FilteringProxy, NetworkPolicy
from ..text import Document
from .dom_snapshot import take_dom_snapshot

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page, Playwright

log = get_logger("ossia.tools.browser")

NETWORK_IDLE_S = 4.0
"""Seconds to wait for a loaded page to finish its requests."""
SNAPSHOT_S = 3.0
"""Seconds to wait for a snapshot before stopping the page's scripts."""
STOP_S = 10.0
"""Timeout in seconds for closing a page or the browser."""
START_S = 30.0
"""Timeout in seconds for starting the browser."""
HEAP_MIB = 512
"""Memory limit for a page's scripts. Beyond it only that page crashes."""

_COMMANDS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "microsoft-edge",
)
_MACOS_PATHS = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
# The proxy makes every connection: Chromium resolves no names, and no traffic bypasses the proxy.
_ARGUMENTS = (
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--dns-prefetch-disable",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    "--no-pings",
    # Images and fonts are not loaded. Intercepting every request would take longer than the
    # requests themselves, so only audio and video, which have no switch, are intercepted.
    "--blink-settings=imagesEnabled=false",
    "--disable-remote-fonts",
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
    f"--js-flags=--max-old-space-size={HEAP_MIB}",
)
# The browser's own proxy. Nothing listens there; each context has a proxy of its own.
_UNREACHABLE_PROXY = "http://127.0.0.1:1"
# A dialog would block the page until it is closed.
_NO_DIALOGS = "alert = print = () => {}; confirm = () => false; prompt = () => null;"
_ERROR_CODE = re.compile(r"net::(ERR_\w+)")


@dataclass(eq=False)
class Chromium:
    """An installed Chromium or Chrome that starts when a page first needs it.

    One process serves every run inside its `async with`. Each page has its own context and shares
    no cookies or cache with other pages.
    """

    executable: Path | str | None = None
    """The program to start. None: the first of Chromium, Chrome and Edge that is installed."""
    load_s: float = field(default=15.0, kw_only=True)
    """Timeout in seconds for a page's first bytes, and again for the rest of the page. After the
    second timeout the page is read as it is."""
    _playwright: Playwright | None = field(default=None, init=False, repr=False)
    _browser: Browser | None = field(default=None, init=False, repr=False)
    _start_lock: anyio.Lock = field(default_factory=anyio.Lock, init=False, repr=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        with anyio.move_on_after(STOP_S, shield=True):
            if self._browser is not None:
                await self._browser.close()
            if self._playwright is not None:
                await self._playwright.stop()
        self._browser = self._playwright = None

    def find_executable(self) -> str:
        """Return the path of the program to start.

        Raises BrowserUnavailableError if it is not installed.
        """
        candidates = [str(self.executable)] if self.executable else [*_COMMANDS, *_MACOS_PATHS]
        for candidate in candidates:
            if path := shutil.which(candidate):
                return path
        if self.executable:
            raise BrowserUnavailableError(f"no program found at {str(self.executable)!r}")
        raise BrowserUnavailableError(
            "Chromium or Chrome is not installed. Run `apt-get install chromium`, or pass a path: "
            "Chromium('/path/to/chrome')"
        )

    async def load(self, url: str, policy: NetworkPolicy) -> Document | None:
        """Return the page after its scripts have run, or None if the URL is a download.

        Raises ToolError with a message for the model, and BrowserUnavailableError if no browser
        can be started.
        """
        await _import_playwright()
        from playwright.async_api import Error as PlaywrightError

        for attempt in range(2):
            browser = await self.start()
            try:
                return await _load(url, policy, browser, self.load_s)
            except PlaywrightError as error:
                if "Download is starting" in error.message:
                    return None
                if browser.is_connected():
                    raise ToolError(_describe_failure(error.message)) from error
                log.warning("browser_crashed", attempt=attempt)
        raise ToolError("the browser crashed twice while loading the page")

    async def start(self) -> Browser:
        """Return Playwright's browser, and start it first if it is not running.

        Raises BrowserUnavailableError if it cannot be started.
        """
        await _import_playwright()
        from playwright.async_api import Error as PlaywrightError
        from playwright.async_api import async_playwright

        async with self._start_lock:
            if self._browser is not None and self._browser.is_connected():
                return self._browser
            program = self.find_executable()
            try:
                with anyio.fail_after(START_S):
                    if self._playwright is None:
                        self._playwright = await async_playwright().start()
                    self._browser = await self._playwright.chromium.launch(
                        executable_path=program,
                        args=_ARGUMENTS,
                        # Chromium's own sandbox does not work as root.
                        chromium_sandbox=os.geteuid() != 0,
                        proxy={"server": _UNREACHABLE_PROXY},
                    )
            except (PlaywrightError, TimeoutError) as error:
                reason = str(error).strip().partition("\n")[0]
                raise BrowserUnavailableError(f"{program} did not start: {reason}") from error
            return self._browser


async def _import_playwright() -> None:
    """Import Playwright in a thread: importing it here would block the event loop."""
    await to_thread.run_sync(import_module, "playwright.async_api")


async def _load(url: str, policy: NetworkPolicy, browser: Browser, load_s: float) -> Document:
    """Load one page in its own context and through its own proxy."""
    proxy = FilteringProxy(policy)

    async def visit(proxy_url: str) -> Document:
        async with _open_page(browser, proxy_url) as page:
            return await _read(page, url, load_s)

    try:
        return await proxy.serve_during(visit)
    except ToolError as error:
        raise ToolError(proxy.refusals[-1]) if proxy.refusals else error from error


@asynccontextmanager
async def _open_page(browser: Browser, proxy_url: str) -> AsyncGenerator[Page]:
    context = await browser.new_context(
        proxy={"server": proxy_url}, service_workers="block", accept_downloads=False, locale="en-US"
    )
    try:
        await context.add_init_script(_NO_DIALOGS)
        page = await context.new_page()
        # Close popups at once.
        context.on("page", lambda popup: popup.close())
        yield page
    finally:
        with anyio.move_on_after(STOP_S, shield=True):
            await context.close()


async def _read(page: Page, url: str, load_s: float) -> Document:
    """Load a page, wait a limited time until its network is idle, and take a snapshot."""
    from playwright.async_api import TimeoutError as PlaywrightTimeoutError

    # Open the CDP session first: it cannot be opened once a script runs forever.
    cdp: Any = await page.context.new_cdp_session(page)
    cdp.on("Fetch.requestPaused", partial(_block_request, cdp))
    await cdp.send("Fetch.enable", {"patterns": [{"resourceType": "Media"}]})
    try:
        response = await page.goto(url, wait_until="commit", timeout=1e3 * load_s)
    except PlaywrightTimeoutError as error:
        raise ToolError(f"timed out after {load_s:g} seconds") from error
    status = None if response is None else response.status
    with suppress(PlaywrightTimeoutError):  # read what has loaded so far
        await page.wait_for_load_state("domcontentloaded", timeout=1e3 * load_s)
        await page.wait_for_load_state("networkidle", timeout=1e3 * NETWORK_IDLE_S)
    for _ in range(3):
        with anyio.move_on_after(SNAPSHOT_S):
            html = await take_dom_snapshot(page, cdp)
            return Document(page.url, "text/html", html.encode(), "utf-8", status=status)
        with anyio.move_on_after(SNAPSHOT_S):
            await cdp.send("Emulation.setScriptExecutionDisabled", {"value": True})
            await cdp.send("Runtime.terminateExecution")
    raise ToolError("the page's scripts do not finish")


async def _block_request(cdp: Any, paused: dict[str, str]) -> None:
    from playwright.async_api import Error as PlaywrightError

    failure = {"requestId": paused["requestId"], "errorReason": "BlockedByClient"}
    with suppress(PlaywrightError):  # the page may be closed already
        await cdp.send("Fetch.failRequest", failure)


def _describe_failure(message: str) -> str:
    """Return Playwright's error without its call log."""
    if "crashed" in message:
        return "the page's scripts crashed the browser"
    code = _ERROR_CODE.search(message)
    reason = code[1] if code else message.partition("\n")[0]
    return f"the browser could not load the page: {reason}"

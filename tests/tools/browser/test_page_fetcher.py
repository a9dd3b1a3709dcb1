"""Which pages are fetched, and how: robots.txt, host lists, pages that need JavaScript."""

from __future__ import annotations

from typing import Any

import pytest

from ossia.errors import ToolError
from ossia.harmony import Message
from ossia.tools import BrowserTool, Chromium, Toolbox
from ossia.tools.browser.fetch.http import HttpFetcher
from ossia.tools.browser.fetch.page_fetcher import (
    PageFetcher,
    needs_scripts,
    read_response,
    with_status,
)
from ossia.tools.browser.fetch.robots import RobotsTxt
from ossia.tools.browser.network.network_policy import NetworkPolicy
from ossia.tools.browser.text.document import Document, read_document
from ossia.tools.browser.text.page import Page
from tests.tools.browser.site import Response, head, open_site

RULES = "User-agent: *\nDisallow: /private\n\nUser-agent: ossia\nDisallow: /ours\n"
HTTP = HttpFetcher(NetworkPolicy(allow_hosts=("127.0.0.1",)))


async def test_robots_txt_is_respected_and_read_once() -> None:
    rules = head("text/plain") + RULES.encode()
    responses: dict[str, Response] = {"/robots.txt": rules, "/open": "<p>open"}
    fetcher = PageFetcher(HTTP, Chromium(), "http", RobotsTxt())
    async with open_site(responses) as site:
        for _ in range(2):
            with pytest.raises(ToolError, match=r"the robots\.txt of .* disallows this page"):
                await fetcher.fetch(f"{site.root}/ours")
            with pytest.raises(ToolError, match="disallows this page"):
                await fetcher.fetch(f"view-source:{site.root}/ours/too")
            assert (await fetcher.fetch(f"{site.root}/open")).text == "open"
    assert site.visited == ["/robots.txt", "/open", "/open"]


@pytest.mark.parametrize("rules", [head(status="404 Not Found"), b"\x00\xff", head("image/png")])
async def test_a_site_without_robots_txt_allows_everything(rules: bytes) -> None:
    fetcher = PageFetcher(HTTP, Chromium(), "http", RobotsTxt())
    async with open_site({"/robots.txt": rules, "/": "<p>open"}) as site:
        assert (await fetcher.fetch(f"{site.root}/")).text == "open"


async def test_robots_txt_is_ignored_by_default() -> None:
    async with open_site({"/robots.txt": RULES, "/private": "<p>open"}) as site:
        page = await PageFetcher(HTTP, Chromium(), "http").fetch(f"{site.root}/private")
    assert (page.text, site.visited) == ("open", ["/private"])


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({}, "is not on the public internet"),
        ({"allow_hosts": ["127.0.0.1"]}, "It is here."),
        ({"allow_hosts": ["127.0.0.1"], "deny_hosts": ["127.0.0.1"]}, "is not an allowed host"),
        ({"allow_hosts": ["127.0.0.1"], "only_hosts": [".example.org"]}, "is not an allowed host"),
        ({"allow_hosts": ["127.0.0.1"], "robots": True}, "It is here."),
    ],
)
async def test_host_lists_are_enforced(options: dict[str, Any], text: str) -> None:
    browser = BrowserTool(fetch="http", **options)
    async with open_site({"/": "<p>It is here."}) as site, Toolbox([browser]) as tools:
        arguments = f'{{"id": "{site.root}/"}}'
        message = (
            await tools.call(
                Message("assistant", arguments, channel="analysis", recipient="browser.open")
            )
        ).message
    assert text in message.text


SCRIPT = "<script>build()</script>"


@pytest.mark.parametrize(
    ("html", "needed"),
    [
        (f"<div id=root></div>{SCRIPT}", True),
        (f"<nav><a href=a>Home</a><a href=b>{'Links ' * 20}</a></nav>{SCRIPT}", True),
        (f"<noscript>Please enable JavaScript.</noscript>{SCRIPT}{'word ' * 150}", True),
        (f"<noscript><p>You need <b>JavaScript</b>.</noscript>{SCRIPT}{'word ' * 150}", True),
        (f"{'word ' * 150}{SCRIPT}", False),
        (f"<noscript><img src=count.gif></noscript>{SCRIPT}{'word ' * 150}", False),
        ("<p>short but complete", False),
    ],
)
def test_pages_that_need_scripts_are_recognized(html: str, needed: bool) -> None:
    document = Document("https://example.org/", "text/html", html.encode())
    assert needs_scripts(document, read_document(document)) is needed


@pytest.mark.parametrize(
    ("status", "text", "shown"),
    [
        (200, "", "[This page is empty. The HTTP status is 200.]"),
        (204, "\n", "[This page is empty. The HTTP status is 204.]"),
        (200, "x", "x"),
        (404, "Gone", "[The server returned HTTP status 404 with this page.]\n\nGone"),
        (503, "Later", "[The server returned HTTP status 503 with this page.]\n\nLater"),
        (None, "", ""),
    ],
)
def test_the_status_of_a_response_is_shown(status: int | None, text: str, shown: str) -> None:
    assert with_status(Page("http://example.org/", "", text), status).text == shown


def test_a_failed_request_without_a_page_raises() -> None:
    with pytest.raises(ToolError, match="the server returned HTTP status 404"):
        with_status(Page("http://example.org/", "", ""), 404)


def test_of_a_failed_request_that_is_not_text_the_status_is_shown() -> None:
    image = Document("http://example.org/", "image/png", b"\x89PNG\r\n\x1a\n", status=403)
    with pytest.raises(ToolError, match="the server returned HTTP status 403"):
        read_response(image)

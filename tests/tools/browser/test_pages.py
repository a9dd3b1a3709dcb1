"""Which pages are fetched, and how: robots.txt, lists of hosts, pages that scripts build."""

from __future__ import annotations

from typing import Any

import pytest

from ossia.errors import ToolError
from ossia.harmony import Message
from ossia.tools import BrowserTool, Chromium, Toolbox
from ossia.tools.browser.fetch.http import Http
from ossia.tools.browser.fetch.pages import Pages, needs_scripts
from ossia.tools.browser.fetch.robots import Robots
from ossia.tools.browser.network.network_policy import NetworkPolicy
from ossia.tools.browser.text.document import Document, read_document
from tests.tools.browser.site import Response, head, open_site

RULES = "User-agent: *\nDisallow: /private\n\nUser-agent: ossia\nDisallow: /ours\n"
HTTP = Http(NetworkPolicy(allow_hosts=("127.0.0.1",)))


async def test_a_site_that_does_not_want_robots_is_left_alone() -> None:
    rules = head("text/plain") + RULES.encode()
    answers: dict[str, Response] = {"/robots.txt": rules, "/open": "<p>open"}
    pages = Pages(HTTP, Chromium(), "http", Robots())
    async with open_site(answers) as site:
        for _ in range(2):
            with pytest.raises(ToolError, match=r"asks robots, by its robots\.txt, not to"):
                await pages.fetch(f"{site.root}/ours")
            with pytest.raises(ToolError, match="asks robots"):
                await pages.fetch(f"view-source:{site.root}/ours/too")
            assert (await pages.fetch(f"{site.root}/open")).text == "open"
    assert site.came == ["/robots.txt", "/open", "/open"], "the rules are read once"


@pytest.mark.parametrize("rules", [head(status="404 Not Found"), b"\x00\xff", head("image/png")])
async def test_a_site_without_rules_has_none(rules: bytes) -> None:
    pages = Pages(HTTP, Chromium(), "http", Robots())
    async with open_site({"/robots.txt": rules, "/": "<p>open"}) as site:
        assert (await pages.fetch(f"{site.root}/")).text == "open"


async def test_robots_are_not_asked_unless_it_is_wished() -> None:
    async with open_site({"/robots.txt": RULES, "/private": "<p>open"}) as site:
        page = await Pages(HTTP, Chromium(), "http").fetch(f"{site.root}/private")
    assert (page.text, site.came) == ("open", ["/private"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "is not on the public internet"),
        ({"allow_hosts": ["127.0.0.1"]}, "It is here."),
        ({"allow_hosts": ["127.0.0.1"], "deny_hosts": ["127.0.0.1"]}, "not among the hosts"),
        ({"allow_hosts": ["127.0.0.1"], "only_hosts": [".example.org"]}, "not among the hosts"),
        ({"allow_hosts": ["127.0.0.1"], "robots": True}, "It is here."),
    ],
)
async def test_the_users_lists_of_hosts_hold(options: dict[str, Any], said: str) -> None:
    browser = BrowserTool(fetch="http", **options)
    async with open_site({"/": "<p>It is here."}) as site, Toolbox([browser]) as tools:
        arguments = f'{{"id": "{site.root}/"}}'
        message = (
            await tools.call(
                Message("assistant", arguments, channel="analysis", recipient="browser.open")
            )
        ).message
    assert said in message.text


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
        ("<p>short, and all there is", False),
    ],
)
def test_a_page_that_says_little_without_scripts_is_known(html: str, needed: bool) -> None:
    document = Document("https://example.org/", "text/html", html.encode())
    assert needs_scripts(document, read_document(document)) is needed

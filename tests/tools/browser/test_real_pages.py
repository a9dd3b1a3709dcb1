"""Two hundred pages that nobody here wrote, of two generators: what stands in them is kept."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import lxml.html
import pytest

from ossia.tools import Chromium
from ossia.tools.browser.fetch.http import Http
from ossia.tools.browser.fetch.pages import Pages
from ossia.tools.browser.network.network_policy import NetworkPolicy
from ossia.tools.browser.text.page import Page
from tests.tools.browser.site import head, open_site

DOCS = {
    "python3-doc": Path("/usr/share/doc/python3-doc/html"),
    "git-doc": Path("/usr/share/doc/git/html"),
}
"""Debian's packages, by Sphinx and by Asciidoctor."""
PAGES = 100
"""Of each."""
MARK = re.compile(r"【(\d+)†([^†】]*)(?:†[^】]*)?】")


@cache
def files(package: str) -> tuple[Path, ...]:
    """The pages of a package, evenly taken from all there are."""
    if not DOCS[package].is_dir():
        pytest.skip(f"no pages here: apt-get install {package}")
    found = sorted(DOCS[package].rglob("*.html"))
    return tuple(found[at * len(found) // PAGES] for at in range(PAGES))


def squeezed(text: str) -> str:
    """Text without white space, which is laid out anew."""
    return re.sub(r"\s+", "", text)


def links(main: Any, url: str) -> set[tuple[str, str]]:
    """Where the links of a page lead, and what they say, by another parser."""
    found: set[tuple[str, str]] = set()
    for one in main.xpath(".//a[@href][not(.//img) and not(.//sup) and not(.//sub)]"):
        target, text = urljoin(url, one.get("href").strip()), squeezed(one.text_content())
        if text and target.startswith("http") and not one.get("href").startswith("#"):
            found.add((target, text))
    return found


def headings(main: Any) -> set[str]:
    nodes = main.xpath(".//h1|.//h2|.//h3|.//h4|.//h5|.//h6")
    return {f"{'#' * int(one.tag[1])}{squeezed(one.text_content())}" for one in nodes} - {
        "#" * level for level in range(1, 7)
    }


def code(main: Any) -> set[str]:
    return {one.text_content().strip("\n") for one in main.xpath(".//pre")}


@pytest.mark.parametrize("part", range(5))
@pytest.mark.parametrize("package", DOCS)
async def test_links_headings_and_code_of_real_pages_are_kept(package: str, part: int) -> None:
    chosen = files(package)[part::5]
    paths = {f"/{file.relative_to(DOCS[package])}": file for file in chosen}
    answers = {path: head() + file.read_bytes() for path, file in paths.items()}
    async with open_site(answers) as site:
        pages = Pages(
            Http(NetworkPolicy(allow_hosts=(f"127.0.0.1:{site.port}",))), Chromium(), "http"
        )
        for path, file in paths.items():
            check(await pages.fetch(site.root + path), file.read_bytes())


def check(page: Page, html: bytes) -> None:
    parse: Any = getattr(lxml.html, "document_fromstring")  # noqa: B009 - its stubs are partial
    root = parse(html, parser=lxml.html.HTMLParser(encoding="utf-8"))
    main = next(iter(root.xpath("//*[@role='main']")), root.body)
    shown = {(page.links[int(mark[1])], squeezed(mark[2])) for mark in MARK.finditer(page.text)}
    assert links(main, page.url) - shown == set(), page.url
    plain = MARK.sub(r"\2", page.text)
    lines = {squeezed(line) for line in plain.split("\n") if line.startswith("#")}
    assert headings(main) - lines == set(), page.url
    assert [one for one in code(main) if f"```\n{one}\n```" not in plain] == [], page.url

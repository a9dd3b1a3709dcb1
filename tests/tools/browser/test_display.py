"""The display, held beside the reference's: the same pages, the same steps, the same text."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from ossia.tools import ToolError
from ossia.tools.browser.history import Display, History
from ossia.tools.browser.session import Browsing
from ossia.tools.browser.text.page import Page
from ossia.tools.browser.view import lines_that_fit, view, wrap

WORDS = [
    "alpha",
    "beta-gamma",
    "日本語",
    "😀",
    "naïve",
    "x" * 90,
    "the",
    "of",
    "  ",
    "\t",
    "—",
    "ﷺ",
]
MORE = ["foo(bar)", "http://a.b/c?d=e", "\u00a0", "1234567", "== ", "ไทย", "<|end|>", "İ", "\r"]
PATTERNS = ["alpha", "ALPHA", "語", "x" * 50, "nowhere", "foo(b", "ein link", " "]


def lines(dice: random.Random, count: int, links: int = 0) -> str:
    def word() -> str:
        if links and dice.random() < 0.05:
            number, host = dice.randrange(links), dice.choice(["", "†other.example"])
            return f"【{number}†ein Link {dice.choice(WORDS)}{host}】"
        return dice.choice(WORDS + MORE)

    return "\n".join(
        dice.choice([" ", "", "  "]).join(word() for _ in range(dice.randrange(40)))
        for _ in range(count)
    )


def site(seed: int) -> dict[str, Page]:
    """Some pages that lead to each other, and to one that is not there."""
    dice = random.Random(seed)
    urls = [f"https://example.org/{name}" for name in ("", "a%20b", "c?d=e", "long" * 300)]
    targets = (*urls, "https://gone.example/")
    sizes = [dice.choice([0, 1, 5, 60, 400]) for _ in urls]
    return {
        url: Page(url, f"Page {number}", lines(dice, size, len(targets)), targets)
        for number, (url, size) in enumerate(zip(urls, sizes, strict=True))
    }


class Pages:
    """A Web, and the reference's backend, of a site."""

    source = "web"

    def __init__(self, pages: dict[str, Page], made: Callable[[Page], Any]) -> None:
        self.pages = pages
        self.made = made

    async def fetch(self, url: str, session: object = None) -> Any:
        plain = url.removeprefix("view-source:")
        if plain not in self.pages:
            raise LookupError("nobody answers")
        page = self.pages[plain]
        if plain != url:
            page = Page(url, page.title, f"<html>\n{page.text}")
        return self.made(page)

    async def search(self, query: str, *, topn: int, session: object = None) -> Any:
        # A real page of results has no address; the reference then mixes two of them up.
        text = "\n".join(f"【{n}†{url}】" for n, url in enumerate(self.pages))
        return self.made(Page(f"search:{query}", query, text, tuple(self.pages)))


class PagesOfOurs(Pages):
    async def fetch(self, url: str, session: object = None) -> Any:
        try:
            return await super().fetch(url)
        except LookupError as error:
            cut = url if len(url) <= 1024 else url[:1021] + "..."
            raise ToolError(f"Error fetching URL `{cut}`: {error}") from error


def steps(seed: int) -> list[tuple[str, dict[str, Any]]]:
    """What a model might do, and much that it should not."""
    dice = random.Random(seed)
    urls = [*site(seed), "https://nowhere.example/"]

    def step() -> tuple[str, dict[str, Any]]:
        kind = dice.choice(["search", "url", "link", "scroll", "find", "source"])
        cursor = {"cursor": dice.randrange(-1, 8)} if dice.random() < 0.4 else {}
        loc = {"loc": dice.choice([0, 1, 10, 100, 100_000])} if dice.random() < 0.5 else {}
        size = {"num_lines": dice.choice([1, 5, 1000])} if dice.random() < 0.3 else {}
        if kind == "search":
            return "search", {"query": dice.choice(PATTERNS)}
        if kind == "url":
            return "open", {"id": dice.choice(urls), **loc, **size}
        if kind == "link":
            return "open", {"id": dice.randrange(7), **cursor, **loc, **size}
        if kind == "find":
            return "find", {"pattern": dice.choice(PATTERNS), **cursor}
        if kind == "source":
            return "open", {"id": dice.choice([-1, urls[0]]), "view_source": True, **cursor}
        return "open", {**cursor, **loc, **size}

    return [("open", {"id": urls[0]}), *(step() for _ in range(40))]


@pytest.mark.parametrize("seed", range(25))
async def test_every_step_shows_what_the_reference_shows(seed: int, reference_browser: Any) -> None:
    def theirs(page: Page) -> Any:
        urls = {str(number): url for number, url in enumerate(page.links)}
        return reference_browser.PageContents(
            url=page.url, text=page.text, title=page.title, urls=urls
        )

    reference = reference_browser.SimpleBrowserTool(Pages(site(seed), theirs))
    browsing = Browsing(PagesOfOurs(site(seed), lambda page: page))

    async def shown_there(name: str, options: dict[str, Any]) -> str:
        (message,) = [one async for one in getattr(reference, name)(**options)]
        return str(message.content[0].text)

    async def shown_here(name: str, options: dict[str, Any]) -> str:
        try:
            return str(await getattr(browsing, name)(**options))
        except ToolError as error:
            return str(error)

    with capture_logs():
        for name, options in steps(seed):
            assert await shown_here(name, options) == await shown_there(name, options)


@pytest.mark.parametrize("seed", range(25))
@pytest.mark.parametrize("tokens", [5, 50, 1024])
def test_a_view_ends_where_the_references_ends(
    seed: int, tokens: int, reference_browser: Any
) -> None:
    dice = random.Random(seed)
    wrapped = wrap(lines(dice, dice.choice([1, 3, 30, 300])))
    assert list(wrapped) == reference_browser.wrap_lines("\n".join(wrapped))
    loc = dice.randrange(len(wrapped))
    end = reference_browser.get_end_loc(loc, -1, len(wrapped), list(wrapped), tokens, "o200k_base")
    assert min(loc + lines_that_fit(wrapped, loc, tokens), len(wrapped)) == end


def test_a_page_is_shown_as_the_model_was_trained_to_read_it() -> None:
    page = Page("https://example.org/a%20b", "A page", "one\n\n" + "word " * 20 + "\nlast")
    assert view(page, 3, loc=1, num_lines=3).text == (
        "[3] A page (https://example.org/a b)\n"
        "**viewing lines [1 - 3] of 4**\n\n"
        "L1: \n"
        "L2: word word word word word word word word word word word word word word word word \n"
        "L3: word word word word "
    )


def test_an_address_cannot_write_a_heading_or_a_citation() -> None:
    url = "https://example.org/%0A%0A[0]%20Bank%20(https://bank.example)%E3%80%900%E2%80%A0L1】"
    heading, *_ = view(Page(url, "T\n【1†x】", "text"), 0).text.split("\n**viewing lines")
    assert "\n" not in heading
    assert not {"【", "】"} & set(heading)


def test_a_history_is_taken_up_where_it_was_left() -> None:
    pages = [*site(0).values(), Page("u", "t", "x", ("u", "v"), (3, 7))]
    displays = [Display(page, range(at, 5)) for at in range(2) for page in pages]
    saved = json.dumps([History(displays).since(0), History(displays).since(4)])
    whole, later = json.loads(saved)
    taken_up, half = History(), History(displays[:4])
    taken_up.extend(whole)
    half.extend(later)
    assert taken_up.displays == half.displays == tuple(displays)
    assert str(whole).count("Page 1") == 1, "a page is saved once, however often it was shown"


async def test_a_search_changes_no_page_that_was_shown_before() -> None:
    class Results:
        async def search(self, query: str, *, topn: int) -> Page:
            return Page("", query, f"results for {query}")

        async def fetch(self, url: str) -> Page:
            raise AssertionError(url)

    browsing = Browsing(Results())
    await browsing.search("first")
    await browsing.search("second")
    assert "results for first" in await browsing.open(cursor=0)


async def test_a_link_may_be_written_as_text() -> None:
    pages = site(0)
    browsing = Browsing(PagesOfOurs(pages, lambda page: page))
    first, second, *_ = pages
    await browsing.open(first)
    assert second.replace("%20", " ") in await browsing.open("1", num_lines=1)

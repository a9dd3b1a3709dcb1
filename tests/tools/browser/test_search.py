"""Search backends against servers with the engines' responses, and a folder of local files."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from anyio.abc import ByteStream

from ossia.errors import ToolDefinitionError, ToolError
from ossia.tools import (
    Brave,
    DuckDuckGo,
    Exa,
    Hit,
    LocalSearch,
    SearchBackend,
    SearXNG,
    Tavily,
    YouCom,
)
from ossia.tools.browser.text.page import Page
from tests.tools.browser.site import head, open_site

ONE, TWO = "https://a.example/1", "https://b.example/2?x=1&y=2"

SEARXNG = {
    "query": "q",
    "results": [
        {"url": ONE, "title": "One", "content": "first", "engine": "bing", "score": 4.0},
        {"url": TWO, "title": "Two", "content": None},
        {"title": "no address"},
    ],
}
EXA = {
    "requestId": "r",
    "results": [
        {"id": ONE, "url": ONE, "title": "One", "summary": "first", "text": "long"},
        {"id": TWO, "url": TWO, "title": "Two"},
    ],
}
BRAVE = {
    "type": "search",
    "web": {
        "results": [
            {"url": ONE, "title": "<b>One</b>", "description": "<strong>first</strong>"},
            {"url": TWO, "title": "Two"},
        ]
    },
}
YOU = {
    "results": {
        "web": [{"url": ONE, "title": "One", "snippets": ["first"], "description": "d"}],
        "news": [{"url": TWO, "title": "Two", "description": ""}],
    }
}
TAVILY = {"query": "q", "results": [{"url": ONE, "title": "One", "content": "first", "score": 0.9},
                                    {"url": TWO, "title": "Two", "content": ""}]}  # fmt: skip
DUCK = f"""<div id=links>
<div class="result results_links result--ad"><a class=result__a href="https://ad.example/">Ad</a></div>
<div class="result results_links web-result"><h2><a rel=nofollow class=result__a
 href="//duckduckgo.com/l/?uddg=https%3A%2F%2Fa.example%2F1&amp;rut=0">One</a></h2>
 <a class=result__snippet href="x"><b>first</b></a></div>
<div class="result web-result"><a class=result__a href="{TWO.replace("&", "&amp;")}">Two
</a></div></div>"""

EXPECTED = [Hit(ONE, "One", "first"), Hit(TWO, "Two", "")]
ENGINES: list[tuple[SearchBackend, Any, str, str]] = [
    (SearXNG("URL"), SEARXNG, "GET /search?q=a+%26+b&format=json", ""),
    (DuckDuckGo("URL/html/"), DUCK, "GET /html/?q=a+%26+b", ""),
    (Brave("key-1", "URL/web"), BRAVE, "GET /web?q=a+%26+b&count=5", "x-subscription-token: key-1"),
    (YouCom("key-2", "URL/v1"), YOU, "GET /v1?query=a+%26+b&count=5", "x-api-key: key-2"),
    (Exa("key-3", "URL/search"), EXA, "POST /search", "x-api-key: key-3"),
    (Tavily("key-4", "URL/search"), TAVILY, "POST /search", "authorization: bearer key-4"),
]


def json_response(value: Any) -> bytes:
    return head("application/json") + json.dumps(value).encode()


def with_root(backend: Any, root: str) -> Any:
    return replace(backend, url=backend.url.replace("URL", root))


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: type(engine[0]).__name__)
async def test_an_engines_response_becomes_hits(
    engine: tuple[SearchBackend, Any, str, str],
) -> None:
    backend, response, request, header = engine
    bodies: list[Any] = []

    async def serve(client: ByteStream) -> None:
        if site.request_heads[-1].startswith(b"POST"):
            _, _, body = site.request_heads[-1].partition(b"\r\n\r\n")
            bodies.append(json.loads(body or await client.receive()))
        await client.send(
            head() + response.encode() if isinstance(response, str) else json_response(response)
        )

    paths = {request.split(" ")[1]: serve}
    async with open_site({}) as site:
        site.responses = _SameResponse(paths, serve)
        hits = await with_root(backend, site.root).search("a & b", topn=5)
    assert [replace(hit, title=hit.title.strip()) for hit in hits] == EXPECTED
    sent = site.request_heads[0].decode().lower()
    assert site.request_heads[0].decode().startswith(request)
    assert header in sent
    assert all(
        body in ({"query": "a & b", "numResults": 5, "contents": {"summary": True}},
                 {"query": "a & b", "max_results": 5})
        for body in bodies
    )  # fmt: skip


class _SameResponse(dict[str, Any]):
    """One response for every path."""

    def __init__(self, paths: dict[str, Any], response: Any) -> None:
        super().__init__(paths)
        self.response = response

    def get(self, path: str, default: Any = None) -> Any:
        return self.response


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (head("text/html", "403 Forbidden"), "returned 403 Forbidden"),
        (head("text/html", "429 Too Many Requests"), "returned 429"),
        (head("text/html") + b"<html>", "did not return JSON"),
        (json_response({"error": "no"}), "the search engine's response has no results"),
        (json_response([1, 2]), "the search engine's response has no results"),
        (b"", "the request to .* failed: "),
        (head("text/html", "302 Found", Location="http://127.0.0.1:1/"), "returned 302"),
    ],
)
async def test_a_failing_engine_raises_with_the_reason(response: bytes, reason: str) -> None:
    async with open_site({}) as site:
        site.responses = _SameResponse({}, response)
        with pytest.raises(ToolError, match=reason) as raised:
            await SearXNG(site.root).search("q", topn=3)
    assert "http://" not in str(raised.value)


async def test_no_error_contains_the_key() -> None:
    async with open_site({}) as site:
        site.responses = _SameResponse({}, head(status="401 Unauthorized"))
        root = site.root.replace("//", "//user:very-secret@")
        backend = Exa("very-secret", f"{root}/search?token=very-secret")
        with pytest.raises(ToolError) as raised:
            await backend.search("q", topn=3)
    assert "very-secret" not in str(raised.value)
    assert "api_key" not in repr(backend)


async def test_a_captcha_is_reported() -> None:
    async with open_site({}) as site:
        site.responses = _SameResponse({}, "<form id=challenge-form>Select all ducks</form>")
        with pytest.raises(ToolError, match="returned a CAPTCHA"):
            await DuckDuckGo(site.root).search("q", topn=3)


@pytest.mark.parametrize("backend", [Exa, Brave, YouCom, Tavily])
def test_a_missing_key_raises_at_once(backend: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    names = {"EXA_API_KEY", "BRAVE_API_KEY", "YDC_API_KEY", "TAVILY_API_KEY"}
    for name in names:
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ToolDefinitionError, match=f"{backend.__name__} needs an API key") as raised:
        backend()
    (name,) = (variable for variable in names if variable in str(raised.value))
    monkeypatch.setenv(name, "from-the-environment")
    assert backend().api_key == "from-the-environment"


PAGES = {
    "index.html": "<title>Home</title>Welcome to the <a href='guide/start.html#top'>guide</a>.",
    "guide/start.html": "<title>Starting</title><p>Install the package, then import it.</p>",
    "guide/index.html": "<title>The guide</title><p>All chapters.</p>",
    "notes.md": "# Notes\n\nPenguins swim; they do not fly.",
    "a b.txt": "A penguin's file with a space in its name.",
    "data.json": '{"animal": "penguin"}',
    "secret.key": "penguin penguin penguin",
}


@pytest.fixture
def library(tmp_path: Path) -> LocalSearch:
    (tmp_path / "outside.txt").write_text("penguin outside")
    folder = tmp_path / "site"
    for name, text in PAGES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "way-out.txt").symlink_to(tmp_path / "outside.txt")
    return LocalSearch(folder, "https://docs.example/v1")


async def test_a_folder_is_searched(library: LocalSearch) -> None:
    hits = await library.search("penguins?", topn=10)
    assert {hit.url.removeprefix("https://docs.example/v1/") for hit in hits} == {
        "notes.md",
        "a%20b.txt",
        "data.json",
    }
    (first, *_) = await library.search("install package", topn=10)
    assert first == Hit(
        "https://docs.example/v1/guide/start.html",
        "Starting",
        "Install the package, then import it.",
    )
    assert len(await library.search("penguin", topn=1)) == 1
    assert await library.search("nothing suitable", topn=3) == []


@pytest.mark.parametrize(
    "query", ["title: (swim OR", "NEAR(swim fly)", "swim* -fly", "x' -- swim", 'sw"swim"']
)
async def test_a_query_is_read_as_plain_words(query: str, library: LocalSearch) -> None:
    hits = await library.search(query, topn=3)
    assert [hit.title for hit in hits] == ["notes.md"]


async def test_a_query_without_words_raises(library: LocalSearch) -> None:
    with pytest.raises(ToolError, match="the query contains no words"):
        await library.search('" * "', topn=3)


@pytest.mark.parametrize(
    ("path", "title"),
    [
        ("index.html", "Home"),
        ("", "Home"),
        ("guide/", "The guide"),
        ("guide", "The guide"),
        ("guide/start", "Starting"),
        ("guide/start.html?x=1#top", "Starting"),
        ("a%20b.txt", "a b.txt"),
    ],
)
async def test_pages_of_the_folder_are_opened(path: str, title: str, library: LocalSearch) -> None:
    page = await library.get_page(f"https://docs.example/v1/{path}")
    assert page is not None
    assert page.title == title


@pytest.mark.parametrize(
    "path",
    [
        "../outside.txt",
        "..%2Foutside.txt",
        "secret.key",
        "way-out.txt",
        "/etc/passwd",
        "%00",
        "none",
    ],
)
async def test_nothing_outside_the_folder_is_opened(path: str, library: LocalSearch) -> None:
    with pytest.raises(ToolError, match="page not found"):
        await library.get_page(f"https://docs.example/v1/{path}")


async def test_other_urls_are_outside_the_folder(library: LocalSearch) -> None:
    assert await library.get_page("https://docs.example/v2/index.html") is None
    assert await library.get_page("https://docs.example/v1evil/") is None


async def test_links_between_pages_stay_in_the_folder(library: LocalSearch) -> None:
    page = await library.get_page("https://docs.example/v1/")
    assert page is not None
    assert page.links == ("https://docs.example/v1/guide/start.html#top",)
    source = await library.get_page("view-source:https://docs.example/v1/index.html")
    assert source is not None
    assert source.text == PAGES["index.html"]


def test_a_missing_folder_raises() -> None:
    with pytest.raises(ToolDefinitionError, match="folder '/nowhere' does not exist"):
        LocalSearch("/nowhere")
    with pytest.raises(
        ToolDefinitionError, match=r"the folder of the index '/nowhere/x\.db' does not exist"
    ):
        LocalSearch("/", index="/nowhere/x.db")


async def test_a_stored_index_reads_only_changed_files(
    library: LocalSearch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    original = LocalSearch._read  # pyright: ignore[reportPrivateUsage]

    def recording(self: LocalSearch, path: str, *, source: bool = False) -> Page:
        read.append(path)
        return original(self, path, source=source)

    async def titles(query: str) -> list[str]:
        search = LocalSearch(library.folder, index=tmp_path / "stored.db")
        return [hit.title for hit in await search.search(query, topn=9)]

    monkeypatch.setattr(LocalSearch, "_read", recording)
    assert await titles("swim") == ["notes.md"]
    assert len(read) == len([name for name in PAGES if not name.endswith(".key")])
    read.clear()
    assert await titles("swim") == ["notes.md"]
    assert read == []
    (Path(library.folder) / "notes.md").write_text("Now they dive.")
    (Path(library.folder) / "a b.txt").unlink()
    assert await titles("swim") == []
    assert await titles("dive") == ["notes.md"]
    assert await titles("penguin") == ["data.json"]
    assert read == ["notes.md"]


async def test_a_file_that_is_not_an_index_is_not_changed(
    library: LocalSearch, tmp_path: Path
) -> None:
    (tmp_path / "text.db").write_text("text " * 1000)
    with closing(sqlite3.connect(tmp_path / "other.db")) as other:
        other.execute("CREATE TABLE files (mine)")
    for name, reason in (("text.db", "not a database"), ("other.db", "belongs to another program")):
        before = (tmp_path / name).read_bytes()
        search = LocalSearch(library.folder, index=tmp_path / name)
        with pytest.raises(ToolError, match=f"cannot use the search index .*{name}: .*{reason}"):
            await search.search("swim", topn=1)
        assert (tmp_path / name).read_bytes() == before

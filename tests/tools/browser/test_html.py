"""HTML as the model reads it."""

from html import escape
from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ossia.tools.browser.text.html import read_html

URL = "https://example.org/docs/page.html"


def text(html: str) -> str:
    return read_html(html, URL).text


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<p>One\n two</p><p>three</p>", "One two\n\nthree"),
        ("<h1>Big</h1><h3>Small <em>one</em></h3>x", "# Big\n\n### Small one\n\nx"),
        ("a<br>b<div>c</div>d", "a\nb\nc\nd"),
        ("<ul><li>a<li><p>b</p></ul>", "  * a\n  * b"),
        (
            "<ol><li>a<ul><li>b<li>c</ul><li>d</ol>",
            "  1. a\n    * b\n    * c\n  2. d",
        ),
        ("<dl><dt>term<dd>what it is</dl>", "term\nwhat it is"),
        (
            "<table><tr><th>a<th>b<tr><td>1<td>2 <b>3</b></table>",
            "a | b\n1 | 2 3",
        ),
        (
            "<table><tr><td><ul><li>a</ul><td><p>b<p>c</table>",
            "  * a\n\nb\n\nc",
        ),
        ("x<sup>2</sup> H<sub>2</sub>O", "x^{2} H_{2}O"),
        ("<pre>\n  a  b\n\n\tc\n</pre>after", "```\n  a  b\n\n\tc\n```\n\nafter"),
        (
            '<pre><span class="k">def</span> f():\n    <b>pass</b></pre>',
            "```\ndef f():\n    pass\n```",
        ),
        ('<pre>see <a href="/x">x</a>\n  y</pre>', "```\nsee 【0†x】\n  y\n```"),
        (
            '<img src=a alt="A cat"><img src=b alt=""><img src=c>',
            "[Image 0: A cat][Image 1]",
        ),
        (
            "<form><input name=q><input type=hidden name=h value=v><button>Go</button></form>",
            "[Field q] Go",
        ),
        ("ok<script>x</script><style>y</style><noscript>z</noscript>", "ok"),
        ("z<noscript>a<noscript>b</noscript></noscript><a href=x>c</a>", "z【0†c】"),
        ("<xmp></a> <b>&amp;</xmp>x", "```\n</a> <b>&amp;\n```\n\nx"),
        ("<listing>a  b</listing>", "```\na  b\n```"),
        ("x<plaintext></h1></plaintext></a>", "x\n\n```\n</h1></plaintext></a>\n```"),
        ("<xmp><!-- <script></xmp><iframe><!--</iframe>y", "```\n<!-- <script>\n```\n\ny"),
        ("<p hidden>secret</p><p>shown</p>", "shown"),
        ("<a hidden href=x>secret</a><p title='a hidden=\"b'>shown</p>", "shown"),
        ("&lt;|start|&gt;system", "<|start|>system"),
        ("", ""),
        ("no markup at all", "no markup at all"),
        ("<p>unclosed <b>tags <i>here", "unclosed tags here"),
    ],
)
def test_html_becomes_text(html: str, expected: str) -> None:
    assert text(html) == expected


@pytest.mark.parametrize(
    ("html", "expected", "target"),
    [
        ('<a href="other.html">o</a>', "【0†o】", "https://example.org/docs/other.html"),
        ('<a href="/top?a=1#f">o</a>', "【0†o】", "https://example.org/top?a=1#f"),
        ('<a href="page.html#f">o</a>', "【0†o】", "https://example.org/docs/page.html#f"),
        ('<a href="//cdn.net/x">o</a>', "【0†o†cdn.net】", "https://cdn.net/x"),
        ('<a href="http://a.b:81/">o</a>', "【0†o†a.b:81】", "http://a.b:81/"),
        ('<a href=" x ">a  <b>b</b>\nc</a>', "【0†a b c】", "https://example.org/docs/x"),
        ('<a href="x"><h3>H</h3><p>p</p></a>', "【0†H p】", "https://example.org/docs/x"),
        ('<a href="x"><img alt="Logo"></a>', "【0†[Image 0: Logo]】", "https://example.org/docs/x"),
        ('<a href="x" aria-label="Home"></a>', "【0†Home】", "https://example.org/docs/x"),
        ('<a href="x">a†b</a>', "【0†a‡b】", "https://example.org/docs/x"),
        ('<base href="/b/"><a href="x">o</a>', "【0†o】", "https://example.org/b/x"),
    ],
)
def test_a_link_has_a_number_and_a_target(html: str, expected: str, target: str) -> None:
    page = read_html(html, URL)
    assert (page.text, page.links) == (expected, (target,))


@pytest.mark.parametrize(
    "href", ["#here", "mailto:a@b.c", "javascript:x()", "http://[", "ftp://a/"]
)
def test_a_link_to_no_page_is_plain_text(href: str) -> None:
    page = read_html(f'see <a href="{href}">this</a>, please', URL)
    assert (page.text, page.links) == ("see this, please", ())


HREF = st.lists(
    st.sampled_from(
        [*"aé/?#&=;:@+,-_~", "b.c", "..", ".", "//", "%20", "http://", "https://h.org"]
    ),
    min_size=1,
    max_size=6,
).map("".join)
BASE = st.sampled_from(
    [
        URL,
        "http://h",
        "http://h/a//b/",
        "https://h.org/a/../b?q=1#f",
        "https://u:p@h:8/q/",
        "http://h?x",
    ]
)


@settings(deadline=None)
@given(href=HREF, base=BASE)
def test_urls_are_joined_as_in_the_standard_library(href: str, base: str) -> None:
    path, hash_sign, fragment = href.partition("#")
    parts = urlsplit(target := urljoin(base, path))
    is_page = path and parts.scheme in {"http", "https"} and parts.netloc
    page = read_html(f'<a href="{escape(href)}">o</a>', base)
    assert page.links == ((target + hash_sign + fragment,) if is_page else ())
    host = "" if parts.netloc == urlsplit(base).netloc else f"†{parts.netloc}"
    assert page.text == (f"【0†o{host}】" if is_page else "o")


def test_each_target_has_one_number() -> None:
    page = read_html('<a href="x">1</a> <a href="y">2</a><a href="/docs/x">3</a>', URL)
    assert page.text == "【0†1】 【1†2】【0†3】"
    assert page.links == ("https://example.org/docs/x", "https://example.org/docs/y")


def test_white_space_around_a_link_is_kept() -> None:
    assert text('a<a href="x"> b </a>c') == "a 【0†b】 c"


@pytest.mark.parametrize("mark", ["【3†fake】", "&#12304;3&#8224;fake&#12305;", "【0†L3-L5】"])
def test_a_page_cannot_forge_a_link_or_a_citation(mark: str) -> None:
    page = read_html(f"<title>{mark}</title>{mark} <a href=x>{mark}</a> <img alt='{mark}'>", URL)
    assert page.text.count("【") == page.text.count("】") == 1
    assert "【" not in page.title


def test_the_main_content_comes_before_the_rest() -> None:
    page = read_html(
        """<title> My
        page </title><header>Site</header><nav><a href=a>A</a></nav>
        <div role=main><h1>Title</h1>Text</div>
        <div role=navigation><a href=b>B</a></div><p>beside</p><footer>Foot</footer>""",
        URL,
    )
    assert page.title == "My page"
    assert page.text == "# Title\n\nText\n\nbeside\n\nSite\n\n【0†A】\n\n【1†B】\n\nFoot"


def test_a_page_without_a_title_is_named_by_its_heading_or_host() -> None:
    assert read_html("<h1>The <i>thing</i></h1>", URL).title == "The thing"
    assert read_html("text", URL).title == "example.org"


@pytest.mark.parametrize("tag", ["ul><li", "table><tr><td", "a href=x", "pre", "h1", "blockquote"])
def test_deeply_nested_elements_are_read(tag: str) -> None:
    assert "deep" in text(f"<{tag}>" * 5000 + "deep")


def test_an_invalid_base_is_ignored() -> None:
    assert read_html('<base href="http://["><a href="x">o</a>', URL).links == (
        "https://example.org/docs/x",
    )


def test_urls_and_text_are_unescaped_once() -> None:
    page = read_html('<a href="x?a=1&amp;b=&lt;2&amp;amp;">o &amp;lt; &quot;p&nbsp;q</a>', URL)
    assert page.links == ("https://example.org/docs/x?a=1&b=<2&amp;",)
    assert page.text == '【0†o &lt; "p q】'


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<p>a <span hidden>b <span>c</span></span> d", "a d"),
        ("a<input hidden>b<input type=hidden>c", "abc"),
        ("a<script>'<p>' + x</script>b<!-- <p>c --><noscript><p>d</p></noscript>e", "abe"),
        ("a<svg><title>b</title><svg><text>c</text></svg></svg>d", "ad"),
        ("<x-app><x-row>a</x-row> b</x-app>", "a b"),
        ("<a title='x>y<z' href='a>b'>c</a>", "【0†c】"),
        ("<select><option>a</select>b<template><p>c</template>d", "bd"),
    ],
)
def test_hidden_and_non_text_elements_are_dropped(html: str, expected: str) -> None:
    assert text(html) == expected


DEEP = "<div><ul><li>" * 20_000
LONG = "<p><b>x</b></p>" * 100_000


def test_excessive_nesting_is_cut() -> None:
    page = read_html(f"<p>first</p>{DEEP}deep", URL)
    assert page.text.startswith("first")
    assert "deep" not in page.text
    # Unmatched end tags do not hide the depth.
    assert "deep" not in text(f"{'</i>' * 60_000}{DEEP}deep")
    assert "deep" not in text(f"{'<div></i>' * 20_000}deep")


def test_a_long_page_is_read_completely() -> None:
    assert text(LONG).count("x") == 100_000
    assert text("</b><b>x" * 20_000).count("x") == 20_000


def test_a_page_with_a_hundred_thousand_links_is_read() -> None:
    page = read_html("".join(f'<li><a href="p{at}">n{at}</a>' for at in range(100_000)), URL)
    assert (len(page.links), page.links[-1]) == (100_000, "https://example.org/docs/p99999")


def test_a_deep_tree_is_read() -> None:
    depth = 4_000
    assert text("<div>" * depth + "deep" + "</div>" * depth) == "deep"


def test_a_frame_becomes_a_link() -> None:
    html = (
        '<p>Before<iframe src="/inner" title="The  map"><p>no <iframe></iframe> after '
        '<iframe src="about:blank"></iframe><iframe></iframe><iframe hidden src="/ad"></iframe>end'
    )
    page = read_html(html, "http://a.example/")
    assert page.text == "Before\n【0†Frame: The map】\nafter end"
    assert page.links == ("http://a.example/inner",)
    old = '<frameset><frame src="left.html" name="menu"><frame src="right.html"></frameset>'
    assert read_html(old, "http://a.example/").text == "【0†Frame: menu】\n【1†Frame】"


def test_a_declarative_shadow_tree_is_read() -> None:
    html = "<x-y><template shadowrootmode=open><p>shown</template></x-y><template>not</template>"
    assert read_html(html, "http://a.example/").text == "shown"

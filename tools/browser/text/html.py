"""HTML as a page that a model can read.

The parser, written in C, builds a tree from any HTML and serializes it with every element closed.
A few regular expressions then split that text at its tags. Walking the tree instead would create a
Python object for each node, which takes longer than everything else together.
"""

from __future__ import annotations

import re
from collections import Counter
from html import escape
from urllib.parse import urljoin, urlsplit

from selectolax.lexbor import LexborHTMLParser

from .html_to_text import VOID_ELEMENTS, HtmlToText, Tags, name_set, unescape
from .page import Page, neutralize_marks
from .page_writer import PageWriter

# The serializer escapes every < and > that is not part of a tag, except inside some elements.
# Those elements may never be closed; `\Z` avoids searching for their ends again and again.
_NO_TEXT = r"!--.*?(?:-->|\Z)|(script|style|noembed|noframes)\b.*?(?:</\1>|\Z)"
_RAW_TEXT = {"iframe", "xmp", "plaintext"}
_RAW_TEXT_OR_NO_TEXT = re.compile(
    rf"<(?:{_NO_TEXT}|(?P<tag>(?P<name>iframe|xmp)\b[^>]*>)(?P<text>.*?)</(?P=name)>"
    r"|(?P<last>plaintext\b[^>]*>)(?P<rest>.*)</plaintext>)",
    re.DOTALL,
)
_TAG = re.compile(r"<([^ >]++)([^>]*+)>")
# Elements that add nothing to their text. Most elements are of this kind.
_TRANSPARENT = (
    "span|em|strong|code|b|i|u|s|tt|var|cite|kbd|samp|abbr|small|big|mark|q|font|label|time"
)
# One pass removes all of these, and possessive quantifiers avoid backtracking: both cost time.
_TRANSPARENT_TAG = rf"/?+(?:{_TRANSPARENT})(?:>| [^>]*+>)"
_IGNORED = re.compile(rf"<(?:{_TRANSPARENT_TAG}(?:<{_TRANSPARENT_TAG})*+|{_NO_TEXT})", re.DOTALL)
_IGNORED_IF_HIDDEN = re.compile(rf"<(?:{_NO_TEXT})", re.DOTALL)
_HIDDEN_TRANSPARENT = re.compile(rf'<(?:{_TRANSPARENT})(?: [^<>]*)? hidden="')

# The parser's time grows with the square of the depth. Elements that the next start tag closes do
# not count; all others count until an end tag of their name.
MAX_DEPTH = 5_000
_TAG_START = re.compile(r"<(/?[a-zA-Z][^\s<>/]*)")
_NOT_NESTED = VOID_ELEMENTS | name_set(
    "p li dt dd option optgroup tr td th tbody thead tfoot rp rt"
)
_BATCH = 1_000


# glibc returns the memory of each page's tree to the system and requests it again for the next
# page, which takes half of the parsing time. It keeps blocks that are smaller than the largest
# block freed so far. This one costs nothing, because its memory is never touched.
bytes(16 * 1024 * 1024)


def read_html(html: str, url: str) -> Page:
    """Return the page's text, main content first and what surrounds it below.

    url: the page's URL. Links are resolved against it, or against the page's own <base>.
    """
    tree = LexborHTMLParser(_limit_depth(html))
    body = tree.body or tree.root
    tags = _parse_tags((body.html if body else "") or "")
    # Searching the whole tree is slow, and nearly every page that has a <base> has it in its head.
    base_parent = tree if "base" in tags.names else tree.head
    base = base_parent.css_first("base[href]") if base_parent else None
    writer = PageWriter(_base_url(url, (base.attributes.get("href") if base else "") or ""))
    HtmlToText(tags, writer).convert()
    return Page(url, _title(tree, url), unescape(writer.text), writer.links)


def _parse_tags(html: str) -> Tags:
    """Split well-formed HTML at its tags."""
    tags = _split_at_tags(html)
    # Few pages have raw text. Up to its first element, nothing can be mistaken for a tag.
    if _RAW_TEXT.isdisjoint(tags.names):
        return tags
    return _split_at_tags(_RAW_TEXT_OR_NO_TEXT.sub(_escape_raw_text, html))


def _escape_raw_text(match: re.Match[str]) -> str:
    """Return an element with its raw text escaped, or nothing for one without text."""
    if match["last"]:
        return f"<{match['last']}{escape(match['rest'], quote=False)}</plaintext>"
    if not match["tag"]:
        return ""
    # The content of an iframe is for browsers without frames.
    text = escape(match["text"], quote=False) if match["name"] == "xmp" else ""
    return f"<{match['tag']}{text}</{match['name']}>"


def _split_at_tags(html: str) -> Tags:
    # The end tag of a hidden element is needed to skip the element.
    hidden = ' hidden="' in html and _HIDDEN_TRANSPARENT.search(html)
    html = (_IGNORED_IF_HIDDEN if hidden else _IGNORED).sub("", html)
    parts = _TAG.split(neutralize_marks(html.replace("&nbsp;", "\xa0")))
    return Tags(parts[::3], parts[1::3], parts[2::3])


def _base_url(url: str, href: str) -> str:
    """Return the URL that links are resolved against. An invalid <base> is ignored."""
    try:
        return urljoin(url, href)
    except ValueError:
        return url


def _title(tree: LexborHTMLParser, url: str) -> str:
    for selector in ("title", "h1"):
        node = tree.css_first(selector)
        title = " ".join(neutralize_marks(node.text()).split()) if node else ""
        if title:
            return title
    return urlsplit(url).netloc


def _limit_depth(html: str) -> str:
    """Cut the HTML where its nesting exceeds MAX_DEPTH."""
    starts = html.count("<")
    if starts < 2 * MAX_DEPTH or starts - html.count("</") < 2 * MAX_DEPTH:
        return html
    if not _may_exceed_depth(html):
        return html
    depth = 0
    open_elements: Counter[str] = Counter()
    for match in _TAG_START.finditer(html):
        tag = match[1].lower()
        name = tag.removeprefix("/")
        if name in _NOT_NESTED:
            continue
        if tag == name:
            open_elements[name] += 1
            depth += 1
        elif open_elements[name]:
            open_elements[name] -= 1
            depth -= 1
        if depth > MAX_DEPTH:
            return html[: match.start()]
    return html


def _may_exceed_depth(html: str) -> bool:
    """Return whether the nesting may exceed MAX_DEPTH, by a fast estimate that is never too low.

    It counts tags in batches, as if all end tags of a batch preceded its start tags.
    """
    tags = _TAG_START.findall(html)
    depth = 0
    open_elements: Counter[str] = Counter()
    for start in range(0, len(tags), _BATCH):
        counts = Counter(tags[start : start + _BATCH])
        for tag, count in counts.items():
            if tag[0] == "/":
                closed = min(count, open_elements[tag[1:]])
                open_elements[tag[1:]] -= closed
                depth -= closed
        for tag, count in counts.items():
            if tag[0] != "/" and tag not in _NOT_NESTED:
                open_elements[tag] += count
                depth += count
        # The depth may have been greater within the batch.
        if depth > MAX_DEPTH - _BATCH:
            return True
    return False

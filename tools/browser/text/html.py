"""HTML as a page that a model can read.

The parser, in C, makes a tree of any HTML, and writes it out again with every element closed. That
text is then taken apart by a few regular expressions: a walk over the tree would make an object of
each of its nodes, which takes longer than all the rest.
"""

from __future__ import annotations

import re
from collections import Counter
from html import escape
from urllib.parse import urljoin, urlsplit

from selectolax.lexbor import LexborHTMLParser

from .html_to_text import VOID, Tags, Walk, characters, words
from .page import Page
from .writer import Writer, harmless

# The parser escapes < and > wherever they are no tag's, but leaves some elements as they were
# written. What begins in these need not end, and to look for its end again and again takes long.
_NO_TEXT = r"!--.*?(?:-->|\Z)|(script|style|noembed|noframes)\b.*?(?:</\1>|\Z)"
_RAW = {"iframe", "xmp", "plaintext"}
_RAW_OR_NO_TEXT = re.compile(
    rf"<(?:{_NO_TEXT}|(?P<tag>(?P<name>iframe|xmp)\b[^>]*>)(?P<text>.*?)</(?P=name)>"
    r"|(?P<last>plaintext\b[^>]*>)(?P<rest>.*)</plaintext>)",
    re.DOTALL,
)
_TAG = re.compile(r"<([^ >]++)([^>]*+)>")
# Elements that are but their content; most elements are.
_PLAIN = "span|em|strong|code|b|i|u|s|tt|var|cite|kbd|samp|abbr|small|big|mark|q|font|label|time"
# In one go, as each pass takes its time, and never trying a second way, which takes as much again.
_PLAIN_EDGE = rf"/?+(?:{_PLAIN})(?:>| [^>]*+>)"
_PASSED_OVER = re.compile(rf"<(?:{_PLAIN_EDGE}(?:<{_PLAIN_EDGE})*+|{_NO_TEXT})", re.DOTALL)
_PASSED_OVER_IF_HIDDEN = re.compile(rf"<(?:{_NO_TEXT})", re.DOTALL)
_PLAIN_HIDDEN = re.compile(rf'<(?:{_PLAIN})(?: [^<>]*)? hidden="')

# The parser's time grows with the square of the depth. An element that the next one closes does not
# count, and the others count until one of their name is closed.
MAX_DEPTH = 5_000
_EDGE = re.compile(r"<(/?[a-zA-Z][^\s<>/]*)")
_FLAT = VOID | words("p li dt dd option optgroup tr td th tbody thead tfoot rp rt")
_AT_ONCE = 1_000


# The memory of each page's tree would go back to the system, to be taken again, and cleared again,
# for the next one: half of the time of parsing. glibc keeps what is smaller than the largest block
# that it ever gave back; this one costs nothing, for nobody touches it.
bytes(16 * 1024 * 1024)


def read_html(html: str, url: str) -> Page:
    """The page's text, main content first and what surrounds it below.

    url: where it came from; links are read against it, or against the page's own <base>.
    """
    tree = LexborHTMLParser(_shallow(html))
    body = tree.body or tree.root
    tags = _tags((body.html if body else "") or "")
    # To search the whole tree takes its time, and nearly every page has it in its head, if at all.
    place = tree if "base" in tags.names else tree.head
    base = place.css_first("base[href]") if place else None
    writer = Writer(_base(url, (base.attributes.get("href") if base else "") or ""))
    Walk(tags, writer).read()
    return Page(url, _title(tree, url), characters(writer.text), writer.links)


def _tags(html: str) -> Tags:
    """Well-formed HTML, taken apart at its tags."""
    tags = _apart(html)
    # Up to the first of them, nothing can be mistaken for a tag; and few pages have any.
    return tags if _RAW.isdisjoint(tags.names) else _apart(_RAW_OR_NO_TEXT.sub(_escaped, html))


def _escaped(raw: re.Match[str]) -> str:
    """What the parser left as it was written, as it writes all else; without what is no text."""
    if raw["last"]:
        return f"<{raw['last']}{escape(raw['rest'], quote=False)}</plaintext>"
    if not raw["tag"]:
        return ""
    # What a frame holds is for browsers without frames.
    text = escape(raw["text"], quote=False) if raw["name"] == "xmp" else ""
    return f"<{raw['tag']}{text}</{raw['name']}>"


def _apart(html: str) -> Tags:
    # An element that is hidden must be found again at its end.
    hidden = ' hidden="' in html and _PLAIN_HIDDEN.search(html)
    html = (_PASSED_OVER_IF_HIDDEN if hidden else _PASSED_OVER).sub("", html)
    parts = _TAG.split(harmless(html.replace("&nbsp;", "\xa0")))
    return Tags(parts[::3], parts[1::3], parts[2::3])


def _base(url: str, own: str) -> str:
    """What links are read against: the first <base> of the page, if it makes sense."""
    try:
        return urljoin(url, own)
    except ValueError:
        return url


def _title(tree: LexborHTMLParser, url: str) -> str:
    for selector in ("title", "h1"):
        node = tree.css_first(selector)
        title = " ".join(harmless(node.text()).split()) if node else ""
        if title:
            return title
    return urlsplit(url).netloc


def _shallow(html: str) -> str:
    """The HTML up to where it is nested too deeply for any reader but a slow one."""
    edges = html.count("<")
    if edges < 2 * MAX_DEPTH or edges - html.count("</") < 2 * MAX_DEPTH or not _may_be_deep(html):
        return html
    depth = 0
    open_elements: Counter[str] = Counter()
    for edge in _EDGE.finditer(html):
        tag = edge[1].lower()
        name = tag.removeprefix("/")
        if name in _FLAT:
            continue
        if tag == name:
            open_elements[name] += 1
            depth += 1
        elif open_elements[name]:
            open_elements[name] -= 1
            depth -= 1
        if depth > MAX_DEPTH:
            return html[: edge.start()]
    return html


def _may_be_deep(html: str) -> bool:
    """Whether elements could be nested too deeply, by an estimate that is quick, and never too low.

    It counts many tags at once, as if all that end among them had ended before any began.
    """
    tags = _EDGE.findall(html)
    depth = 0
    open_elements: Counter[str] = Counter()
    for start in range(0, len(tags), _AT_ONCE):
        counted = Counter(tags[start : start + _AT_ONCE])
        for tag, count in counted.items():
            if tag[0] == "/":
                ended = min(count, open_elements[tag[1:]])
                open_elements[tag[1:]] -= ended
                depth -= ended
        for tag, count in counted.items():
            if tag[0] != "/" and tag not in _FLAT:
                open_elements[tag] += count
                depth += count
        # Among those that were counted at once, it may have been deeper.
        if depth > MAX_DEPTH - _AT_ONCE:
            return True
    return False

"""RSS and Atom as a page."""

from __future__ import annotations

from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element

from selectolax.lexbor import LexborHTMLParser

from .page import Page
from .writer import Writer, harmless

MAX_ENTRIES = 200


def read_feed(text: str, url: str) -> Page | None:
    """The entries of a feed, each with its link, date and text; None if it is no feed."""
    if "<!ENTITY" in text:
        return None  # entities of its own are no feed's, but a bomb's
    try:
        root = ET.fromstring(_without_declaration(text))  # noqa: S314
    except ET.ParseError:
        return None
    if _name(root) not in {"rss", "RDF", "feed"}:
        return None
    channel = next((one for one in root if _name(one) == "channel"), root)
    entries = [one for one in root.iter() if _name(one) in {"item", "entry"}][:MAX_ENTRIES]
    title = " ".join(_text(channel, "title").split()) or url
    out = Writer(url)
    out.begin("# ")
    out.write(title)
    out.blank()
    for entry in entries:
        _write(entry, out)
    return Page(url, harmless(title), out.text, out.links)


def _write(entry: Element, out: Writer) -> None:
    out.begin("## ")
    out.begin_link()
    out.write(_text(entry, "title"))
    out.end_link(_link(entry), "untitled")
    out.end_line()
    out.write(_text(entry, "pubDate", "published", "updated", "date"))
    out.end_line()
    said = LexborHTMLParser(_text(entry, "description", "summary", "encoded", "content")).body
    out.write(said.text(separator=" ") if said is not None else "")
    out.blank()


def _link(entry: Element) -> str:
    """RSS has the address as text, Atom as an attribute of one link among several."""
    links = [one for one in entry if _name(one) == "link"]
    for one in links:
        if one.get("href") and one.get("rel", "alternate") == "alternate":
            return str(one.get("href"))
    return next((one.text.strip() for one in links if one.text), "")


def _text(parent: Element, *names: str) -> str:
    """The text of the first child that has one of these names, in their order."""
    for name in names:
        for child in parent:
            if _name(child) == name:
                return "".join(child.itertext())
    return ""


def _name(element: Element) -> str:
    """A tag without its namespace."""
    # A comment has a function in place of its tag.
    return str(element.tag).rpartition("}")[2]


def _without_declaration(text: str) -> str:
    """XML that is text already must not say what bytes it was."""
    start = text.lstrip("\ufeff \t\r\n")
    return start.partition("?>")[2] if start.startswith("<?xml") else start

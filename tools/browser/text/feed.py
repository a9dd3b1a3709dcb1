"""An RSS or Atom feed as a page."""

from __future__ import annotations

from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element

from selectolax.lexbor import LexborHTMLParser

from .page import Page, neutralize_marks
from .page_writer import PageWriter

MAX_ENTRIES = 200


def read_feed(text: str, url: str) -> Page | None:
    """Return a feed's entries with link, date and text, or None if the text is not a feed."""
    if "<!ENTITY" in text:
        return None  # a feed needs no entities of its own, but an XML bomb does
    try:
        root = ET.fromstring(_remove_declaration(text))  # noqa: S314
    except ET.ParseError:
        return None
    if _name(root) not in {"rss", "RDF", "feed"}:
        return None
    channel = next((child for child in root if _name(child) == "channel"), root)
    entries = [child for child in root.iter() if _name(child) in {"item", "entry"}][:MAX_ENTRIES]
    title = " ".join(_text(channel, "title").split()) or url
    writer = PageWriter(url)
    writer.start_line("# ")
    writer.write(title)
    writer.blank_line()
    for entry in entries:
        _write_entry(entry, writer)
    return Page(url, neutralize_marks(title), writer.text, writer.links)


def _write_entry(entry: Element, writer: PageWriter) -> None:
    writer.start_line("## ")
    writer.start_link()
    writer.write(_text(entry, "title"))
    writer.end_link(_link(entry), "untitled")
    writer.end_line()
    writer.write(_text(entry, "pubDate", "published", "updated", "date"))
    writer.end_line()
    body = LexborHTMLParser(_text(entry, "description", "summary", "encoded", "content")).body
    writer.write(body.text(separator=" ") if body is not None else "")
    writer.blank_line()


def _link(entry: Element) -> str:
    """Return an entry's URL: the text of RSS's link, or an attribute of one of Atom's links."""
    links = [child for child in entry if _name(child) == "link"]
    for link in links:
        if link.get("href") and link.get("rel", "alternate") == "alternate":
            return str(link.get("href"))
    return next((link.text.strip() for link in links if link.text), "")


def _text(parent: Element, *names: str) -> str:
    """Return the text of the first child that has one of the names, tried in order."""
    for name in names:
        for child in parent:
            if _name(child) == name:
                return "".join(child.itertext())
    return ""


def _name(element: Element) -> str:
    """Return a tag without its namespace."""
    # The tag of a comment is a function.
    return str(element.tag).rpartition("}")[2]


def _remove_declaration(text: str) -> str:
    """Remove the XML declaration: decoded text must not declare an encoding."""
    start = text.lstrip("\ufeff \t\r\n")
    return start.partition("?>")[2] if start.startswith("<?xml") else start

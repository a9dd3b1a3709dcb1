"""Text taking shape: what a page says, as lines, while its HTML is walked."""

from __future__ import annotations

import re
from urllib.parse import urljoin, urlsplit

# A page must not be able to write what looks like a link or a citation. As in the reference.
_LOOKALIKES = (("【", "〖"), ("】", "〗"), ("◼", "◾"), ("\u200b", ""))
# The name of a file, with folders before it or none, and before these the way up to them.
_PLAIN_PATH = re.compile(r"(/|(?:\.\.?/)*)((?:[\w-][\w.-]*/)*[\w-][\w.-]*)", re.ASCII)
# An address that urllib, which takes its time, would give back as it is.
_PLAIN_URL = re.compile(r"https?://([\w.-]+)(?:/[\w./~%+:@,-]*)?(?:\?[\w./~%+:@,=&;-]+)?", re.ASCII)
_UNKNOWN = ("", "")


def harmless(text: str) -> str:
    """The text of a page, without the signs that are ours."""
    if not text.isascii():
        # Several times as fast as str.translate.
        for sign, lookalike in _LOOKALIKES:
            text = text.replace(sign, lookalike)
    return text


class Writer:
    """Collects a page's text, and gives each link's target a number."""

    def __init__(self, base: str) -> None:
        self._base = base
        self._host = urlsplit(base).netloc
        self._lines: list[str] = []
        self.line: list[str] = []
        """What will be the next line; text that is harmless may be added without `write`."""
        self._prefix = ""
        self._marks: list[int] = []
        self._links: dict[str, int] = {}
        self._pages: dict[str, tuple[str, str] | None] = {}
        self._above: dict[str, str] = {}
        self._targets: dict[str, tuple[str, str] | None] = {}
        self._images = 0
        self._verbatim = False
        self.flat = 0
        """Above 0, blocks do not break the line: inside links, headings and cells."""

    @property
    def text(self) -> str:
        """Everything written so far."""
        self.end_line()
        return "\n".join(self._lines).strip("\n")

    @property
    def links(self) -> tuple[str, ...]:
        """Targets by link id."""
        return tuple(self._links)

    def write(self, text: str) -> None:
        """Add text to the line; white space is settled when it ends."""
        self.line.append(harmless(text))

    def end_line(self) -> None:
        """Begin a new line, if there is anything on this one."""
        parts = self.line
        if not parts:
            return
        if self._verbatim:
            parts.append("\n")
            return
        if self.flat:
            parts.append(" ")
            return
        line = " ".join("".join(parts).split())
        parts.clear()
        if line:
            self._lines.append(self._prefix + line)
            self._prefix = ""

    def blank(self) -> None:
        """Leave a line free, but never two, and none between an item's mark and its text."""
        self.end_line()
        if not self.flat and self._lines and self._lines[-1] and not self._prefix:
            self._lines.append("")

    def begin(self, prefix: str) -> None:
        """Begin a line that opens with `prefix`, a list's or a heading's mark."""
        self.end_line()
        if not self.flat:
            self._prefix = prefix

    def begin_verbatim(self) -> None:
        """Keep every character from here on."""
        self.blank()
        self._verbatim = not self.flat

    def end_verbatim(self) -> None:
        """End a block of code: as it was written, between two fences."""
        if not self._verbatim:
            return
        self._verbatim = False
        code = "".join(self.line).strip("\n")
        self.line.clear()
        self._prefix = ""
        self._lines += ["```", *code.split("\n"), "```", ""]

    def begin_link(self) -> None:
        """What comes now is a link's text."""
        self._marks.append(len(self.line))
        self.flat += 1

    def end_link(self, href: str, name: str = "") -> None:
        """Close the link: with its number, if it leads to another page, else as plain text.

        name: for a link without any text.
        """
        self.flat -= 1
        start = self._marks.pop()
        text = "".join(self.line[start:])
        del self.line[start:]
        self.link(text, href, name)

    def link(self, text: str, href: str, name: str = "") -> None:
        """Write a link of harmless text, as `end_link` does."""
        target = self._target(href) if name or (text and not text.isspace()) else None
        if target is None:
            self.line.append(text)
            return
        opening, closing = target
        clean = text if self._verbatim else " ".join(text.split())
        shown = (clean or harmless(name)).replace("†", "‡")
        if clean == text:
            self.line += (opening, shown, closing)
        else:
            before = " " if text[:1].isspace() else ""
            after = " " if text[-1:].isspace() else ""
            self.line += (before, opening, shown, closing, after)

    def frame(self, source: str, name: str) -> None:
        """Link a page within this one, on a line of its own, if it is a page."""
        if self._target(source) is not None:
            self.end_line()
            self.link(harmless(f"Frame: {name}" if name else "Frame"), source)
            self.end_line()

    def image(self, alt: str) -> None:
        """Name an image by its number and what it is said to show."""
        self.write(f"[Image {self._images}: {alt}]" if alt else f"[Image {self._images}]")
        self._images += 1

    def _target(self, href: str) -> tuple[str, str] | None:
        """What stands around the text of a link to another page: its number, and its host."""
        known = self._targets.get(href, _UNKNOWN)
        if known is not _UNKNOWN:
            return known
        found: tuple[str, str] | None = None
        path, mark, fragment = href.partition("#")
        page = self._page(path) if path else None
        if page is not None:
            address, closing = page
            number = self._links.setdefault(address + mark + fragment, len(self._links))
            found = f"【{number}†", closing
        self._targets[href] = found
        return found

    def _page(self, path: str) -> tuple[str, str] | None:
        """The absolute address of another page, and what closes a link to it."""
        known = self._pages.get(path, _UNKNOWN)
        if known is _UNKNOWN:
            known = self._pages[path] = self._near(path) or self._far(path)
        return known

    def _near(self, path: str) -> tuple[str, str] | None:
        """A page of the same host, if its path is plain; most links of most pages lead to such."""
        plain = _PLAIN_PATH.fullmatch(path) if self._host else None
        if plain is None:
            return None
        way_up, way_down = plain.groups()
        if way_up not in self._above:
            self._above[way_up] = urljoin(self._base, way_up or "./")
        return self._above[way_up] + way_down, "】"

    def _far(self, path: str) -> tuple[str, str] | None:
        plain = _PLAIN_URL.fullmatch(path)
        if plain is not None:
            return path, self._closing(plain[1])
        try:
            target = urljoin(self._base, path)
            parts = urlsplit(target)
        except ValueError:
            return None
        if parts.scheme not in {"http", "https"} or not parts.netloc:
            return None
        return target, self._closing(parts.netloc)

    def _closing(self, host: str) -> str:
        return "】" if host == self._host else f"†{host}】"

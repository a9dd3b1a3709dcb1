"""Text taking shape: what a page says, as lines, while its HTML is walked."""

from __future__ import annotations

import re
from urllib.parse import urljoin, urlsplit

# A page must not be able to write what looks like a link or a citation. As in the reference.
_LOOKALIKES = (("【", "〖"), ("】", "〗"), ("◼", "◾"), ("\u200b", ""))
# A name of a file, with folders before it or none.
_PLAIN_PATH = re.compile(r"(?:\.\.?/)*(?:[\w-][\w.-]*/)*[\w-][\w.-]*", re.ASCII)


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
        self._folders: dict[str, str] = {}
        self._targets: dict[str, tuple[int, str] | None] = {}
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
        clean = text if self._verbatim else " ".join(text.split())
        number, host = target
        mark = f"【{number}†{(clean or harmless(name)).replace('†', '‡')}{host}】"
        if clean != text:
            before = " " if text[:1].isspace() else ""
            after = " " if text[-1:].isspace() else ""
            mark = f"{before}{mark}{after}"
        self.line.append(mark)

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

    def _target(self, href: str) -> tuple[int, str] | None:
        """The number of a link to another page, and `†host` if that is another."""
        if href[0] == "#":
            return None
        if href in self._targets:
            return self._targets[href]
        found: tuple[int, str] | None = None
        path, mark, fragment = href.partition("#")
        page = self._page(path)
        if page is not None:
            target, host = page
            number = self._links.setdefault(target + mark + fragment, len(self._links))
            found = number, host
        self._targets[href] = found
        return found

    def _page(self, path: str) -> tuple[str, str] | None:
        """The absolute address of another page, and `†host` if that is another."""
        if path not in self._pages:
            self._pages[path] = self._near(path) or self._far(path)
        return self._pages[path]

    def _near(self, path: str) -> tuple[str, str] | None:
        """A page of the same host, if its path is plain; a page has many of a few folders."""
        if not self._host or not _PLAIN_PATH.fullmatch(path):
            return None
        folder, _, name = path.rpartition("/")
        if folder not in self._folders:
            self._folders[folder] = urljoin(self._base, f"{folder or '.'}/")
        return self._folders[folder] + name, ""

    def _far(self, path: str) -> tuple[str, str] | None:
        try:
            target = urljoin(self._base, path)
            parts = urlsplit(target)
        except ValueError:
            return None
        if parts.scheme not in {"http", "https"} or not parts.netloc:
            return None
        return target, "" if parts.netloc == self._host else f"†{parts.netloc}"

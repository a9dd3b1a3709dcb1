"""Text taking shape: what a page says, as lines, while its HTML is walked."""

from __future__ import annotations

from contextlib import suppress
from urllib.parse import urljoin, urlsplit

# A page must not be able to write what looks like a link or a citation. As in the reference.
_LOOKALIKES = str.maketrans({"【": "〖", "】": "〗", "◼": "◾", "\u200b": ""})


def harmless(text: str) -> str:
    """The text of a page, without the signs that are ours."""
    return text if text.isascii() else text.translate(_LOOKALIKES)


class Writer:
    """Collects a page's text, and gives each link's target a number."""

    def __init__(self, base: str) -> None:
        self._base = base
        self._host = urlsplit(base).netloc
        self._lines: list[str] = []
        self._inline: list[str] = []
        self._prefix = ""
        self._marks: list[int] = []
        self._links: dict[str, int] = {}
        self._pages: dict[str, tuple[str, str] | None] = {}
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
        self._inline.append(text if text.isascii() else text.translate(_LOOKALIKES))

    def end_line(self) -> None:
        """Begin a new line, if there is anything on this one."""
        if not self._inline:
            return
        if self._verbatim:
            self._inline.append("\n")
            return
        if self.flat:
            self._inline.append(" ")
            return
        line = " ".join("".join(self._inline).split())
        self._inline.clear()
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
        code = "".join(self._inline).strip("\n")
        self._inline.clear()
        self._prefix = ""
        self._lines += ["```", *code.split("\n"), "```", ""]

    def begin_link(self) -> None:
        """What comes now is a link's text."""
        self._marks.append(len(self._inline))
        self.flat += 1

    def end_link(self, href: str, name: str = "") -> None:
        """Close the link: with its number, if it leads to another page, else as plain text.

        name: for a link without any text.
        """
        self.flat -= 1
        start = self._marks.pop()
        raw = "".join(self._inline[start:])
        del self._inline[start:]
        text = raw if self._verbatim else " ".join(raw.split())
        target = self._target(href) if text or name else None
        if target is None:
            self._inline.append(raw)
            return
        number, host = target
        away = f"†{host}" if host else ""
        mark = f"【{number}†{(text or harmless(name)).replace('†', '‡')}{away}】"
        before = " " if raw[:1].isspace() and not self._verbatim else ""
        after = " " if raw[-1:].isspace() and not self._verbatim else ""
        self._inline.append(before + mark + after)

    def image(self, alt: str) -> None:
        """Name an image by its number and what it is said to show."""
        self.write(f"[Image {self._images}: {alt}]" if alt else f"[Image {self._images}]")
        self._images += 1

    def _target(self, href: str) -> tuple[int, str] | None:
        """The number of a link to another page, and its host if that is another."""
        if href in self._targets:
            return self._targets[href]
        found: tuple[int, str] | None = None
        with suppress(ValueError):
            path, mark, fragment = href.partition("#")
            page = self._page(path) if path else None
            if page is not None:
                target, host = page
                number = self._links.setdefault(target + mark + fragment, len(self._links))
                found = number, host
        self._targets[href] = found
        return found

    def _page(self, path: str) -> tuple[str, str] | None:
        """The absolute address of another page, and its host if that is another."""
        if path not in self._pages:
            target = urljoin(self._base, path)
            parts = urlsplit(target)
            known = parts.scheme in {"http", "https"} and parts.netloc
            away = "" if parts.netloc == self._host else parts.netloc
            self._pages[path] = (target, away) if known else None
        return self._pages[path]

"""The text of a page while it is being written, line by line."""

from __future__ import annotations

import re
from urllib.parse import urljoin, urlsplit

from .page import neutralize_marks

# A file name, optionally with folders before it and `/`, `./` or `../` before those.
_PLAIN_PATH = re.compile(r"(/|(?:\.\.?/)*)((?:[\w-][\w.-]*/)*[\w-][\w.-]*)", re.ASCII)
# A URL that urllib, which is slow, would return unchanged.
_PLAIN_URL = re.compile(r"https?://([\w.-]+)(?:/[\w./~%+:@,-]*)?(?:\?[\w./~%+:@,=&;-]+)?", re.ASCII)
# Tells a missing cache entry from a cached None.
_MISSING = ("", "")


class PageWriter:
    """A writer of a page's text. It gives each link target a number."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url
        self._host = urlsplit(base_url).netloc
        self._lines: list[str] = []
        self.line: list[str] = []
        """Parts of the current line. Text without marks may be appended without `write`."""
        self._prefix = ""
        self._link_starts: list[int] = []
        self._link_ids: dict[str, int] = {}
        self._resolved: dict[str, tuple[str, str] | None] = {}
        self._parent_urls: dict[str, str] = {}
        self._link_marks: dict[str, tuple[str, str] | None] = {}
        self._images = 0
        self._in_code = False
        self.inline_depth = 0
        """Above 0, blocks do not break the line: inside links, headings and cells."""

    @property
    def text(self) -> str:
        """All text written so far."""
        self.end_line()
        return "\n".join(self._lines).strip("\n")

    @property
    def links(self) -> tuple[str, ...]:
        """Link targets by link id."""
        return tuple(self._link_ids)

    def write(self, text: str) -> None:
        """Append text to the line. `end_line` normalizes its white space."""
        self.line.append(neutralize_marks(text))

    def end_line(self) -> None:
        """Start a new line unless the current one is empty."""
        parts = self.line
        if not parts:
            return
        if self._in_code:
            parts.append("\n")
            return
        if self.inline_depth:
            parts.append(" ")
            return
        line = " ".join("".join(parts).split())
        parts.clear()
        if line:
            self._lines.append(self._prefix + line)
            self._prefix = ""

    def blank_line(self) -> None:
        """Write one blank line, but never two, and none between a list item's mark and text."""
        self.end_line()
        if not self.inline_depth and self._lines and self._lines[-1] and not self._prefix:
            self._lines.append("")

    def start_line(self, prefix: str) -> None:
        """Start a line with the mark of a list item or a heading."""
        self.end_line()
        if not self.inline_depth:
            self._prefix = prefix

    def start_code(self) -> None:
        """Start a code block, in which every character is kept."""
        self.blank_line()
        self._in_code = not self.inline_depth

    def end_code(self) -> None:
        """End a code block and write it between two fences."""
        if not self._in_code:
            return
        self._in_code = False
        code = "".join(self.line).strip("\n")
        self.line.clear()
        self._prefix = ""
        self._lines += ["```", *code.split("\n"), "```", ""]

    def start_link(self) -> None:
        """Start the text of a link."""
        self._link_starts.append(len(self.line))
        self.inline_depth += 1

    def end_link(self, href: str, name: str = "") -> None:
        """End a link: with its number if it leads to another page, else as plain text.

        name: the text of a link that has none.
        """
        self.inline_depth -= 1
        start = self._link_starts.pop()
        text = "".join(self.line[start:])
        del self.line[start:]
        self.write_link(text, href, name)

    def write_link(self, text: str, href: str, name: str = "") -> None:
        """Write a whole link, as `end_link` does. The text must have no marks."""
        link_mark = self._link_mark(href) if name or (text and not text.isspace()) else None
        if link_mark is None:
            self.line.append(text)
            return
        opening, closing = link_mark
        clean = text if self._in_code else " ".join(text.split())
        shown = (clean or neutralize_marks(name)).replace("†", "‡")
        if clean == text:
            self.line += (opening, shown, closing)
        else:
            before = " " if text[:1].isspace() else ""
            after = " " if text[-1:].isspace() else ""
            self.line += (before, opening, shown, closing, after)

    def write_frame(self, source: str, name: str) -> None:
        """Write a link to a frame's page on its own line, if the source is a page."""
        if self._link_mark(source) is not None:
            self.end_line()
            self.write_link(neutralize_marks(f"Frame: {name}" if name else "Frame"), source)
            self.end_line()

    def write_image(self, alt: str) -> None:
        """Write an image's number and alternative text."""
        self.write(f"[Image {self._images}: {alt}]" if alt else f"[Image {self._images}]")
        self._images += 1

    def _link_mark(self, href: str) -> tuple[str, str] | None:
        """Return what surrounds the text of a link, or None if it leads to no other page."""
        cached = self._link_marks.get(href, _MISSING)
        if cached is not _MISSING:
            return cached
        link_mark: tuple[str, str] | None = None
        path, hash_sign, fragment = href.partition("#")
        resolved = self._resolve(path) if path else None
        if resolved is not None:
            url, closing = resolved
            number = self._link_ids.setdefault(url + hash_sign + fragment, len(self._link_ids))
            link_mark = f"【{number}†", closing
        self._link_marks[href] = link_mark
        return link_mark

    def _resolve(self, path: str) -> tuple[str, str] | None:
        """Return a page's absolute URL and the end of a link to it, or None if it is not a page."""
        resolved = self._resolved.get(path, _MISSING)
        if resolved is _MISSING:
            resolved = self._resolve_plain_path(path) or self._resolve_any(path)
            self._resolved[path] = resolved
        return resolved

    def _resolve_plain_path(self, path: str) -> tuple[str, str] | None:
        """Resolve a simple path on the same host. Most links of most pages are one."""
        match = _PLAIN_PATH.fullmatch(path) if self._host else None
        if match is None:
            return None
        parents, below = match.groups()
        if parents not in self._parent_urls:
            self._parent_urls[parents] = urljoin(self._base_url, parents or "./")
        return self._parent_urls[parents] + below, "】"

    def _resolve_any(self, path: str) -> tuple[str, str] | None:
        match = _PLAIN_URL.fullmatch(path)
        if match is not None:
            return path, self._closing_mark(match[1])
        try:
            url = urljoin(self._base_url, path)
            parts = urlsplit(url)
        except ValueError:
            return None
        if parts.scheme not in {"http", "https"} or not parts.netloc:
            return None
        return url, self._closing_mark(parts.netloc)

    def _closing_mark(self, host: str) -> str:
        return "】" if host == self._host else f"†{host}】"

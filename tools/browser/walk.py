"""From the tags of a page to its text."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

from .writer import Writer


class Tags(NamedTuple):
    """Well-formed HTML, taken apart; there is one text more than there are tags."""

    texts: Sequence[str]
    """What stands before each tag, and after the last."""
    names: Sequence[str]
    """`p`, or `/p` where it ends."""
    attributes: Sequence[str]
    """As they are written: ` href="x" id="y"`, or nothing."""


def words(text: str) -> frozenset[str]:
    """The names in a line."""
    return frozenset(text.split())


_UNREAD = words("head title template svg math object canvas video audio select datalist")
VOID = words("area base br col embed frame iframe hr img input link meta param source track wbr")
_APART = words("nav aside footer header")
_ROLES_APART = re.compile(r' role="(?:navigation|banner|complementary|contentinfo|search)"')
_LINES = words(
    "address article aside body br center dd details dialog div dt fieldset figcaption figure"
    " footer form frameset header hgroup html legend main nav option search section summary"
    " tbody tfoot thead caption"
)
_PARAGRAPHS = words("p dl blockquote menu hr")
_HEADINGS = words("h1 h2 h3 h4 h5 h6")
_LINE_EDGES = {edge for name in _LINES for edge in (name, f"/{name}")}
_PARAGRAPH_EDGES = {edge for name in _PARAGRAPHS for edge in (name, f"/{name}")}
_HEADING_ENDS = {f"/{name}" for name in _HEADINGS}
_NO_CELLS = words("table pre ul ol h1 h2 h3 h4 form")
# Deeper, tables and lists are but a way to make a reader slow.
_DEEP = 12
_INDENTS = ["  " * depth for depth in range(_DEEP + 1)]
_FIELDS = words("text search email url tel number date password")

# Of all names, those that may be passed over whatever their attributes.
_SPECIAL = _UNREAD | _APART | {"main"}

Range = tuple[int, int]
"""Tags from the first on, and up to the second."""


class Walk:
    """One page's way from tags to lines."""

    def __init__(self, tags: Tags, out: Writer) -> None:
        self._tags = tags
        self._out = out
        self._main: Range | None = None
        self._rest: list[Range] = []
        self._lists: list[int] = []
        self._tables: list[bool] = []
        self._links: list[str] = []
        self._column = 0
        # What a tag does, and what one does for which it counts where it stands.
        self._actions: dict[str, Callable[[], None]] = {
            **dict.fromkeys(_LINE_EDGES, out.end_line),
            **dict.fromkeys(_PARAGRAPH_EDGES, self._break),
            **dict.fromkeys(_HEADING_ENDS, self._end_heading),
            "/a": self._end_link,
            "pre": out.begin_verbatim,
            "/pre": out.end_verbatim,
            "li": self._item,
            "/li": out.end_line,
            "/ul": self._end_list,
            "/ol": self._end_list,
            "/table": self._end_table,
            "tr": self._row,
            "/tr": out.end_line,
            "td": self._begin_cell,
            "th": self._begin_cell,
            "/td": self._end_cell,
            "/th": self._end_cell,
            "sup": lambda: out.write("^{"),
            "sub": lambda: out.write("_{"),
            "/sup": lambda: out.write("}"),
            "/sub": lambda: out.write("}"),
        }
        self._placed: dict[str, Callable[[int], None]] = {
            "a": self._begin_link,
            "img": self._image,
            "frame": self._frame,
            "iframe": self._frame,
            "input": self._field,
            "textarea": self._field,
            "ul": self._begin_list,
            "ol": self._begin_list,
            "table": self._begin_table,
            **dict.fromkeys(_HEADINGS, self._begin_heading),
        }

    def read(self) -> None:
        """Write the main content, then what else there is, then what surrounds it."""
        self._main = self._find_main()
        if self._main is not None:
            self._into(*self._main)
        self._into(-1, len(self._tags.names), later=True)
        for first, last in self._rest:
            self._into(first, last)

    def _find_main(self) -> Range | None:
        _, names, attributes = self._tags
        for at, name in enumerate(names):
            if name == "main" or ' role="main"' in attributes[at]:
                return at, self._end(at)
        return None

    def _end(self, at: int) -> int:
        """The tag that closes an element; of one that is never closed, its own."""
        names = self._tags.names
        name = names[at]
        closing, depth = f"/{name}", 0
        if name in VOID:
            return at
        for end in range(at, len(names)):
            if names[end] == name:
                depth += 1
            elif names[end] == closing:
                depth -= 1
                if not depth:
                    return end
        return at

    def _into(self, first: int, last: int, *, later: bool = False) -> None:
        """Write what stands between two tags.

        later: whether navigation and the like are left for the end, and the main content is passed
            over.
        """
        texts, names, attributes = self._tags
        line, link = self._out.line, self._out.link
        actions, placed = self._actions, self._placed
        self._out.blank()
        at = first
        while True:
            at += 1
            text = texts[at]
            # Most line breaks stand between blocks, and would but have to be taken away again.
            if text and (line or text != "\n"):
                line.append(text)
            if at >= last:
                break
            name, extra = names[at], attributes[at]
            if name == "a" and names[at + 1] == "/a":
                at += 1
                text = texts[at]
                # A place in this page is no link, as `link` would find too, but later.
                if ' href="#' in extra:
                    line.append(text)
                else:
                    link(text, *_leads(extra, text))
                continue
            if name in _SPECIAL or (extra and (" hidden=" in extra or " role=" in extra)):
                end = self._passed_over(at, later=later)
                if end is not None:
                    at = end
                    continue
            action = actions.get(name)
            if action is not None:
                action()
            elif name in placed:
                placed[name](at)
        self._out.blank()

    def _passed_over(self, at: int, *, later: bool) -> int | None:
        """The end of an element that is not to be read, now or at all; None if it is."""
        name, extra = self._tags.names[at], self._tags.attributes[at]
        if name in _UNREAD or " hidden=" in extra:
            if name == "template" and " shadowrootmode=" in extra:
                return None
            return self._end(at)
        if later and self._main is not None and at == self._main[0]:
            return self._main[1]
        if later and (name in _APART or _ROLES_APART.search(extra)):
            end = self._end(at)
            self._rest.append((at, end))
            return end
        return None

    def _break(self) -> None:
        """Between paragraphs stands a blank line, but lists are kept close."""
        if self._lists:
            self._out.end_line()
        else:
            self._out.blank()

    def _begin_heading(self, at: int) -> None:
        self._out.blank()
        self._out.begin("#" * int(self._tags.names[at][1]) + " ")
        self._out.flat += 1

    def _end_heading(self) -> None:
        self._out.flat -= 1
        self._out.blank()

    def _begin_link(self, at: int) -> None:
        self._links.append(self._tags.attributes[at])
        self._out.begin_link()

    def _end_link(self) -> None:
        self._out.end_link(*_leads(self._links.pop(), ""))

    def _image(self, at: int) -> None:
        attributes = self._tags.attributes[at]
        if ' alt=""' not in attributes:
            name = _attribute(attributes, "alt") or _attribute(attributes, "title")
            self._out.image(" ".join(name.split()))

    def _frame(self, at: int) -> None:
        """A page within the page is another page: where it is can be opened."""
        attributes = self._tags.attributes[at]
        name = _attribute(attributes, "title") or _attribute(attributes, "name")
        source = characters(_attribute(attributes, "src")).strip()
        if source:
            self._out.frame(source, " ".join(name.split()))

    def _field(self, at: int) -> None:
        attributes = self._tags.attributes[at]
        kind = _attribute(attributes, "type") or "text"
        if self._tags.names[at] == "textarea" or kind in _FIELDS:
            name = _attribute(attributes, "name") or _attribute(attributes, "placeholder")
            self._out.write(f" [Field {name}] ")

    def _begin_list(self, at: int) -> None:
        self._break()
        self._lists.append(1 if self._tags.names[at] == "ol" else 0)

    def _end_list(self) -> None:
        self._lists.pop()
        self._break()

    def _item(self) -> None:
        indent = _INDENTS[min(len(self._lists), _DEEP)]
        number = self._lists[-1] if self._lists else 0
        self._out.begin(f"{indent}{number}. " if number else f"{indent}* ")
        if number:
            self._lists[-1] += 1

    def _begin_table(self, at: int) -> None:
        """A table of plain cells is shown row by row; one that lays out a page, block by block."""
        self._break()
        plain = len(self._tables) < _DEEP
        if plain:
            inside = self._tags.names[at + 1 : self._end(at)]
            plain = _NO_CELLS.isdisjoint(inside) and ("/p", "p") not in pairwise(inside)
        self._tables.append(plain)

    def _end_table(self) -> None:
        self._tables.pop()
        self._break()

    def _row(self) -> None:
        self._out.end_line()
        self._column = 0

    def _begin_cell(self) -> None:
        if not (self._tables and self._tables[-1]):
            self._out.end_line()
            return
        if self._column:
            self._out.write(" | ")
        self._column += 1
        self._out.flat += 1

    def _end_cell(self) -> None:
        if self._tables and self._tables[-1]:
            self._out.flat -= 1


def _leads(attributes: str, text: str) -> tuple[str, str]:
    """Where a link leads, and a name for it if it has no text."""
    href = characters(_attribute(attributes, "href")).strip() or "#"
    if text:
        return href, ""
    name = _attribute(attributes, "aria-label") or _attribute(attributes, "title")
    return href, " ".join(name.split())


def characters(text: str) -> str:
    """Text without the escapes that the parser writes."""
    if "&" not in text:
        return text
    # The last must come last: what it lays bare is no escape.
    for escape, character in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&amp;", "&")):
        text = text.replace(escape, character)
    return text


def _attribute(attributes: str, name: str) -> str:
    """The value of an attribute, with the parser's escapes; empty if it is not there."""
    return attributes.partition(f' {name}="')[2].partition('"')[0]

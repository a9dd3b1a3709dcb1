"""From the tags of a page to its text."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import ClassVar, NamedTuple

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


_UNREAD = words("head title template svg math object canvas video audio select datalist noscript")
VOID = words(
    "area base basefont bgsound br col embed frame hr img input keygen link meta param source track"
    " wbr"
)
_APART = words("nav aside footer header")
_ROLES_APART = re.compile(r' role="(?:navigation|banner|complementary|contentinfo|search)"')
_LINES = words(
    "address article aside body br center dd details dialog div dt fieldset figcaption figure"
    " footer form frameset header hgroup html legend main nav option search section summary"
    " tbody tfoot thead caption"
)
_PARAGRAPHS = words("p dl blockquote menu hr")
_CODE = words("pre xmp listing plaintext")
_HEADINGS = words("h1 h2 h3 h4 h5 h6")
_LINE_ENDS = {f"/{name}" for name in _LINES | {"li", "tr"}}
_PARAGRAPH_EDGES = {edge for name in _PARAGRAPHS for edge in (name, f"/{name}")}
_HEADING_ENDS = {f"/{name}" for name in _HEADINGS}
_NO_CELLS = words("table pre ul ol h1 h2 h3 h4 form")
# Deeper, tables and lists are but a way to make a reader slow.
_DEEP = 12
_INDENTS = ["  " * depth for depth in range(_DEEP + 1)]
_BULLETS = [f"{indent}* " for indent in _INDENTS]
_ESCAPES = {"lt": "<", "gt": ">", "quot": '"', "amp": "&"}
_SIGNS = {"sup": "^{", "/sup": "}", "sub": "_{", "/sub": "}"}
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
        self._at = 0
        # Whether what surrounds the main content is left for the end.
        self._later = False

    def read(self) -> None:
        """Write the main content, then what else there is, then what surrounds it."""
        self._main = self._find_main()
        if self._main is not None:
            self._into(*self._main)
        self._later = True
        self._into(-1, len(self._tags.names))
        self._later = False
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
        if name in VOID:
            return at
        closing, end, depth = f"/{name}", at, 1
        while depth:
            start = end + 1
            try:
                end = names.index(closing, start)
            except ValueError:
                return at
            depth += names[start:end].count(name) - 1
        return end

    def _into(self, first: int, last: int) -> None:
        """Write what stands between two tags."""
        texts, names, attributes = self._tags
        line, link, end_line = self._out.line, self._out.link, self._out.end_line
        actions, place = self._ACTIONS, Walk._place
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
            if name in _LINE_ENDS:
                if line:
                    end_line()
                continue
            if name == "a" and names[at + 1] == "/a" and ' hidden="' not in extra:
                at += 1
                text = texts[at]
                # A place in this page is no link, as `link` would find too, but later.
                if ' href="#' in extra:
                    line.append(text)
                else:
                    link(text, *_leads(extra, text))
                continue
            action = actions.get(name)
            if extra and (' hidden="' in extra or ' role="' in extra):
                action = place
            if action is not None:
                self._at = at
                action(self)
                at = self._at
        self._out.blank()

    def _place(self) -> None:
        """Begin an element that may have its place elsewhere, or nowhere."""
        end = self._passed_over()
        if end is not None:
            self._at = end
        elif self._name in self._PLAIN_ACTIONS:
            self._PLAIN_ACTIONS[self._name](self)

    def _passed_over(self) -> int | None:
        """The end of an element that is not to be read, now or at all; None if it is."""
        at, name, extra = self._at, self._name, self._attributes
        if name in _UNREAD or ' hidden="' in extra:
            if name == "template" and ' shadowrootmode="' in extra:
                return None
            return self._end(at)
        if not self._later:
            return None
        if self._main is not None and at == self._main[0]:
            return self._main[1]
        if name in _APART or _ROLES_APART.search(extra):
            end = self._end(at)
            self._rest.append((at, end))
            return end
        return None

    @property
    def _name(self) -> str:
        return self._tags.names[self._at]

    @property
    def _attributes(self) -> str:
        return self._tags.attributes[self._at]

    def _end_line(self) -> None:
        self._out.end_line()

    def _break(self) -> None:
        """Between paragraphs stands a blank line, but lists are kept close."""
        if self._lists:
            self._out.end_line()
        else:
            self._out.blank()

    def _begin_heading(self) -> None:
        self._out.blank()
        self._out.begin("#" * int(self._name[1]) + " ")
        self._out.flat += 1

    def _end_heading(self) -> None:
        self._out.flat -= 1
        self._out.blank()

    def _begin_link(self) -> None:
        self._links.append(self._attributes)
        self._out.begin_link()

    def _end_link(self) -> None:
        self._out.end_link(*_leads(self._links.pop(), ""))

    def _begin_code(self) -> None:
        self._out.begin_verbatim()

    def _end_code(self) -> None:
        self._out.end_verbatim()

    def _sign(self) -> None:
        self._out.write(_SIGNS[self._name])

    def _image(self) -> None:
        attributes = self._attributes
        if ' alt=""' not in attributes:
            name = _attribute(attributes, "alt") or _attribute(attributes, "title")
            self._out.image(" ".join(name.split()))

    def _frame(self) -> None:
        """A page within the page is another page: where it is can be opened."""
        attributes = self._attributes
        name = _attribute(attributes, "title") or _attribute(attributes, "name")
        source = characters(_attribute(attributes, "src")).strip()
        if source:
            self._out.frame(source, " ".join(name.split()))

    def _field(self) -> None:
        attributes = self._attributes
        kind = _attribute(attributes, "type") or "text"
        if self._name == "textarea" or kind in _FIELDS:
            name = _attribute(attributes, "name") or _attribute(attributes, "placeholder")
            self._out.write(f" [Field {name}] ")

    def _begin_list(self) -> None:
        self._break()
        self._lists.append(1 if self._name == "ol" else 0)

    def _end_list(self) -> None:
        self._lists.pop()
        self._break()

    def _item(self) -> None:
        depth = min(len(self._lists), _DEEP)
        number = self._lists[-1] if depth else 0
        self._out.begin(f"{_INDENTS[depth]}{number}. " if number else _BULLETS[depth])
        if number:
            self._lists[-1] += 1

    def _begin_table(self) -> None:
        """A table of plain cells is shown row by row; one that lays out a page, block by block."""
        self._break()
        plain = len(self._tables) < _DEEP
        if plain:
            inside = self._tags.names[self._at + 1 : self._end(self._at)]
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

    # What a tag does. They are of the class, as a walk that held its own methods would go only with
    # the next collection of garbage, and its page with it.
    _PLAIN_ACTIONS: ClassVar[Mapping[str, Callable[..., None]]] = {
        **dict.fromkeys(_LINES, _end_line),
        **dict.fromkeys(_PARAGRAPH_EDGES, _break),
        **dict.fromkeys(_HEADINGS, _begin_heading),
        **dict.fromkeys(_HEADING_ENDS, _end_heading),
        **dict.fromkeys(_SIGNS, _sign),
        "a": _begin_link,
        "/a": _end_link,
        **dict.fromkeys(_CODE, _begin_code),
        **dict.fromkeys((f"/{name}" for name in _CODE), _end_code),
        "ul": _begin_list,
        "ol": _begin_list,
        "/ul": _end_list,
        "/ol": _end_list,
        "li": _item,
        "table": _begin_table,
        "/table": _end_table,
        "tr": _row,
        "td": _begin_cell,
        "th": _begin_cell,
        "/td": _end_cell,
        "/th": _end_cell,
        "img": _image,
        "frame": _frame,
        "iframe": _frame,
        "input": _field,
        "textarea": _field,
    }
    _ACTIONS: ClassVar[Mapping[str, Callable[..., None]]] = {
        **_PLAIN_ACTIONS,
        **dict.fromkeys(_SPECIAL, _place),
    }


def _leads(attributes: str, text: str) -> tuple[str, str]:
    """Where a link leads, and a name for it if it has no text."""
    href = characters(_attribute(attributes, "href")).strip()
    if text:
        return href, ""
    name = _attribute(attributes, "aria-label") or _attribute(attributes, "title")
    return href, " ".join(name.split())


def characters(text: str) -> str:
    """Text without the escapes that the parser writes."""
    if "&" not in text:
        return text
    first, *others = text.split("&")
    parts = [first]
    for other in others:
        name, mark, rest = other.partition(";")
        parts += (_ESCAPES[name], rest) if mark and name in _ESCAPES else ("&", other)
    return "".join(parts)


def _attribute(attributes: str, name: str) -> str:
    """The value of an attribute, with the parser's escapes; empty if it is not there."""
    return attributes.partition(f' {name}="')[2].partition('"')[0]

"""Conversion of a page's tags to text."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import ClassVar, NamedTuple

from .page_writer import PageWriter


class Tags(NamedTuple):
    """Well-formed HTML, split at its tags. There is one more text than there are tags."""

    texts: Sequence[str]
    """The text before each tag, and after the last one."""
    names: Sequence[str]
    """`p` for a start tag, `/p` for an end tag."""
    attributes: Sequence[str]
    """Each tag's attributes as written: ` href="x" id="y"`, or empty."""


def name_set(line: str) -> frozenset[str]:
    """Return the names in a line."""
    return frozenset(line.split())


VOID_ELEMENTS = name_set(
    "area base basefont bgsound br col embed frame hr img input keygen link meta param source track"
    " wbr"
)
_SKIPPED = name_set(
    "head title template svg math object canvas video audio select datalist noscript"
)
_SURROUNDINGS = name_set("nav aside footer header")
_SURROUNDING_ROLE = re.compile(r' role="(?:navigation|banner|complementary|contentinfo|search)"')
_BLOCKS = name_set(
    "address article aside body br center dd details dialog div dt fieldset figcaption figure"
    " footer form frameset header hgroup html legend main nav option search section summary"
    " tbody tfoot thead caption"
)
_PARAGRAPHS = name_set("p dl blockquote menu hr")
_CODE = name_set("pre xmp listing plaintext")
_HEADINGS = name_set("h1 h2 h3 h4 h5 h6")
_LINE_ENDS = {f"/{name}" for name in _BLOCKS | {"li", "tr"}}
_PARAGRAPH_TAGS = {tag for name in _PARAGRAPHS for tag in (name, f"/{name}")}
_HEADING_ENDS = {f"/{name}" for name in _HEADINGS}
_LAYOUT_TABLE_TAGS = name_set("table pre ul ol h1 h2 h3 h4 form")
# Deeper lists and tables are not indented or joined: they would only make the page slow to read.
_MAX_NESTING = 12
_INDENTS = ["  " * depth for depth in range(_MAX_NESTING + 1)]
_BULLETS = [f"{indent}* " for indent in _INDENTS]
_ESCAPES = {"lt": "<", "gt": ">", "quot": '"', "amp": "&"}
_SCRIPT_MARKS = {"sup": "^{", "/sup": "}", "sub": "_{", "/sub": "}"}
_TEXT_INPUTS = name_set("text search email url tel number date password")

# Elements that may be skipped or moved because of their names alone.
_SKIPPED_OR_MOVED = _SKIPPED | _SURROUNDINGS | {"main"}

TagRange = tuple[int, int]
"""The first tag, and the one after the last."""


class HtmlToText:
    """The conversion of one page from tags to text."""

    def __init__(self, tags: Tags, writer: PageWriter) -> None:
        self._tags = tags
        self._writer = writer
        self._main: TagRange | None = None
        self._deferred: list[TagRange] = []
        self._lists: list[int] = []
        self._tables: list[bool] = []
        self._links: list[str] = []
        self._column = 0
        self._at = 0
        # Whether to defer what surrounds the main content.
        self._defer = False

    def convert(self) -> None:
        """Write the main content, then the rest of the page, then what surrounds both."""
        self._main = self._find_main()
        if self._main is not None:
            self._write_range(*self._main)
        self._defer = True
        self._write_range(-1, len(self._tags.names))
        self._defer = False
        for first, last in self._deferred:
            self._write_range(first, last)

    def _find_main(self) -> TagRange | None:
        _, names, attributes = self._tags
        for at, name in enumerate(names):
            if name == "main" or ' role="main"' in attributes[at]:
                return at, self._end_tag(at)
        return None

    def _end_tag(self, at: int) -> int:
        """Return the end tag of an element, or its start tag if it has no end tag."""
        names = self._tags.names
        name = names[at]
        if name in VOID_ELEMENTS:
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

    def _write_range(self, first: int, last: int) -> None:
        """Write what is between two tags. This loop takes most of the time of a page."""
        texts, names, attributes = self._tags
        line, write_link, end_line = (
            self._writer.line,
            self._writer.write_link,
            self._writer.end_line,
        )
        actions, skip_or_start = self._ACTIONS, HtmlToText._skip_or_start
        self._writer.blank_line()
        at = first
        while True:
            at += 1
            text = texts[at]
            # Most line breaks are between blocks and would be removed again.
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
                # `write_link` drops links within the page too, but more slowly.
                if ' href="#' in extra:
                    line.append(text)
                else:
                    write_link(text, *_link_target(extra, text))
                continue
            action = actions.get(name)
            if extra and (' hidden="' in extra or ' role="' in extra):
                action = skip_or_start
            if action is not None:
                self._at = at
                action(self)
                at = self._at
        self._writer.blank_line()

    def _skip_or_start(self) -> None:
        """Skip or defer an element if it must be, else start it."""
        end = self._skip_to()
        if end is not None:
            self._at = end
        elif self._name in self._START_ACTIONS:
            self._START_ACTIONS[self._name](self)

    def _skip_to(self) -> int | None:
        """Return the end of an element that is not written now, or None if it is."""
        at, name, extra = self._at, self._name, self._attributes
        if name in _SKIPPED or ' hidden="' in extra:
            if name == "template" and ' shadowrootmode="' in extra:
                return None
            return self._end_tag(at)
        if not self._defer:
            return None
        if self._main is not None and at == self._main[0]:
            return self._main[1]
        if name in _SURROUNDINGS or _SURROUNDING_ROLE.search(extra):
            end = self._end_tag(at)
            self._deferred.append((at, end))
            return end
        return None

    @property
    def _name(self) -> str:
        return self._tags.names[self._at]

    @property
    def _attributes(self) -> str:
        return self._tags.attributes[self._at]

    def _end_line(self) -> None:
        self._writer.end_line()

    def _break_paragraph(self) -> None:
        """Write a blank line between paragraphs, except in lists."""
        if self._lists:
            self._writer.end_line()
        else:
            self._writer.blank_line()

    def _start_heading(self) -> None:
        self._writer.blank_line()
        self._writer.start_line("#" * int(self._name[1]) + " ")
        self._writer.inline_depth += 1

    def _end_heading(self) -> None:
        self._writer.inline_depth -= 1
        self._writer.blank_line()

    def _start_link(self) -> None:
        self._links.append(self._attributes)
        self._writer.start_link()

    def _end_link(self) -> None:
        self._writer.end_link(*_link_target(self._links.pop(), ""))

    def _start_code(self) -> None:
        self._writer.start_code()

    def _end_code(self) -> None:
        self._writer.end_code()

    def _write_script_mark(self) -> None:
        self._writer.write(_SCRIPT_MARKS[self._name])

    def _write_image(self) -> None:
        attributes = self._attributes
        if ' alt=""' not in attributes:
            name = _attribute(attributes, "alt") or _attribute(attributes, "title")
            self._writer.write_image(" ".join(name.split()))

    def _write_frame(self) -> None:
        """Link the page in a frame, which the model can open."""
        attributes = self._attributes
        name = _attribute(attributes, "title") or _attribute(attributes, "name")
        source = unescape(_attribute(attributes, "src")).strip()
        if source:
            self._writer.write_frame(source, " ".join(name.split()))

    def _write_field(self) -> None:
        attributes = self._attributes
        input_type = _attribute(attributes, "type") or "text"
        if self._name == "textarea" or input_type in _TEXT_INPUTS:
            name = _attribute(attributes, "name") or _attribute(attributes, "placeholder")
            self._writer.write(f" [Field {name}] ")

    def _start_list(self) -> None:
        self._break_paragraph()
        self._lists.append(1 if self._name == "ol" else 0)

    def _end_list(self) -> None:
        self._lists.pop()
        self._break_paragraph()

    def _start_item(self) -> None:
        depth = min(len(self._lists), _MAX_NESTING)
        number = self._lists[-1] if depth else 0
        self._writer.start_line(f"{_INDENTS[depth]}{number}. " if number else _BULLETS[depth])
        if number:
            self._lists[-1] += 1

    def _start_table(self) -> None:
        """Write a data table row by row, but a table used for layout block by block."""
        self._break_paragraph()
        is_data = len(self._tables) < _MAX_NESTING
        if is_data:
            inside = self._tags.names[self._at + 1 : self._end_tag(self._at)]
            is_data = _LAYOUT_TABLE_TAGS.isdisjoint(inside) and ("/p", "p") not in pairwise(inside)
        self._tables.append(is_data)

    def _end_table(self) -> None:
        self._tables.pop()
        self._break_paragraph()

    def _start_row(self) -> None:
        self._writer.end_line()
        self._column = 0

    def _start_cell(self) -> None:
        if not (self._tables and self._tables[-1]):
            self._writer.end_line()
            return
        if self._column:
            self._writer.write(" | ")
        self._column += 1
        self._writer.inline_depth += 1

    def _end_cell(self) -> None:
        if self._tables and self._tables[-1]:
            self._writer.inline_depth -= 1

    # The action for each tag. These are class attributes: an instance with references to its own
    # methods would keep its page in memory until the next garbage collection.
    _START_ACTIONS: ClassVar[Mapping[str, Callable[..., None]]] = {
        **dict.fromkeys(_BLOCKS, _end_line),
        **dict.fromkeys(_PARAGRAPH_TAGS, _break_paragraph),
        **dict.fromkeys(_HEADINGS, _start_heading),
        **dict.fromkeys(_HEADING_ENDS, _end_heading),
        **dict.fromkeys(_SCRIPT_MARKS, _write_script_mark),
        "a": _start_link,
        "/a": _end_link,
        **dict.fromkeys(_CODE, _start_code),
        **dict.fromkeys((f"/{name}" for name in _CODE), _end_code),
        "ul": _start_list,
        "ol": _start_list,
        "/ul": _end_list,
        "/ol": _end_list,
        "li": _start_item,
        "table": _start_table,
        "/table": _end_table,
        "tr": _start_row,
        "td": _start_cell,
        "th": _start_cell,
        "/td": _end_cell,
        "/th": _end_cell,
        "img": _write_image,
        "frame": _write_frame,
        "iframe": _write_frame,
        "input": _write_field,
        "textarea": _write_field,
    }
    _ACTIONS: ClassVar[Mapping[str, Callable[..., None]]] = {
        **_START_ACTIONS,
        **dict.fromkeys(_SKIPPED_OR_MOVED, _skip_or_start),
    }


def _link_target(attributes: str, text: str) -> tuple[str, str]:
    """Return where a link leads, and a name for it if it has no text."""
    href = unescape(_attribute(attributes, "href")).strip()
    if text:
        return href, ""
    name = _attribute(attributes, "aria-label") or _attribute(attributes, "title")
    return href, " ".join(name.split())


def unescape(text: str) -> str:
    """Return the text without the few escapes that the HTML serializer writes."""
    if "&" not in text:
        return text
    first, *others = text.split("&")
    parts = [first]
    for other in others:
        name, semicolon, rest = other.partition(";")
        parts += (_ESCAPES[name], rest) if semicolon and name in _ESCAPES else ("&", other)
    return "".join(parts)


def _attribute(attributes: str, name: str) -> str:
    """Return an attribute's value, still escaped, or an empty string if it is missing."""
    return attributes.partition(f' {name}="')[2].partition('"')[0]

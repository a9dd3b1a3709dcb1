"""HTML as a page that a model can read."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urljoin, urlsplit

from selectolax.lexbor import LexborHTMLParser, LexborNode

from .page import Page
from .writer import Writer, harmless

_HEADINGS = {f"h{level}": level for level in range(1, 7)}


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_UNREAD = _words(
    "head script style template noscript svg math iframe object canvas video audio select datalist"
    " -comment"
)
_LINES = _words(
    "address article aside body br center dd details dialog div dt fieldset figcaption figure"
    " footer form frameset header hgroup html legend li main nav option search section summary"
    " tbody tfoot thead tr caption"
)
_PARAGRAPHS = _words("p ul ol dl blockquote table menu hr")
_APART = _words("nav aside footer header")
_INLINE = _words("a img input textarea td th sup sub")
# Every other element is but its content; most are, so they cost no more than a look here.
_KNOWN = frozenset(_HEADINGS) | _UNREAD | _LINES | _PARAGRAPHS | _APART | _INLINE | {"pre"}

_MAIN = "main, [role=main]"
_MARKED = "base[href], [hidden], [role]"
_ROLES_APART = _words("navigation banner complementary contentinfo search")
_NO_CELLS = "table, pre, ul, ol, h1, h2, h3, h4, form, p + p"
_NOT_ONLY_TEXT = "a[href], img, br"
# Deeper, tables and lists are but a way to make a reader slow.
_DEEP = 12
_FIELDS = _words("text search email url tel number date password")


def read_html(html: str, url: str) -> Page:
    """The page's text, main content first and what surrounds it below.

    url: where it came from; links are read against it, or against the page's own <base>.
    """
    tree = LexborHTMLParser(html)
    marked = tree.css(_MARKED)  # one search of the whole tree for all of them
    writer = Writer(_base(url, [_attribute(node, "href") for node in marked if node.tag == "base"]))
    hidden = [node for node in marked if "hidden" in node.attributes]
    around = [node for node in marked if node.attributes.get("role") in _ROLES_APART]
    walk = _Walk(writer, hidden, around)
    body = tree.body or tree.root
    if body is not None:
        main = tree.css_first(_MAIN)
        if main is not None:
            walk.into(main)
            walk.unread.add(main.mem_id)
            walk.tags.add(main.tag or "")
        walk.into(body, later=True)
        walk.into_the_rest()
    return Page(url, _title(tree, url), writer.text, writer.links)


def _base(url: str, own: list[str]) -> str:
    """What links are read against: the first <base> of the page, if it makes sense."""
    try:
        return urljoin(url, own[0]) if own else url
    except ValueError:
        return url


def _title(tree: LexborHTMLParser, url: str) -> str:
    for selector in ("title", "h1"):
        node = tree.css_first(selector)
        title = " ".join(harmless(node.text()).split()) if node else ""
        if title:
            return title
    return urlsplit(url).netloc


class _Walk:
    """A walk over the tree that needs no stack of its own, however deep the tree is."""

    def __init__(self, writer: Writer, hidden: list[LexborNode], around: list[LexborNode]) -> None:
        self.unread = {node.mem_id for node in hidden}
        """Elements that are hidden, or were read before, by `mem_id`."""
        self.apart = {node.mem_id for node in around}
        """Elements that surround the content, by `mem_id`, where their name does not tell."""
        self.tags = {node.tag or "" for node in (*hidden, *around)}
        self._out = writer
        self._rest: list[LexborNode] = []
        self._lists: list[int] = []
        self._tables: list[bool] = []
        self._column = 0
        self._enter: dict[str, Callable[[LexborNode], None]] = {
            "a": lambda _: writer.begin_link(),
            "pre": lambda _: writer.begin_verbatim(),
            "img": self._image,
            "input": self._field,
            "textarea": self._field,
            "li": self._item,
            "ul": lambda _: self._lists.append(0),
            "ol": lambda _: self._lists.append(1),
            "table": self._table,
            "tr": self._row,
            "td": self._cell,
            "th": self._cell,
            "sup": lambda _: writer.write("^{"),
            "sub": lambda _: writer.write("_{"),
        }
        self._leave: dict[str, Callable[[LexborNode], None]] = {
            "a": self._link,
            "pre": lambda _: writer.end_verbatim(),
            "ul": self._end_list,
            "ol": self._end_list,
            "table": self._end_table,
            "td": self._end_cell,
            "th": self._end_cell,
            "sup": lambda _: writer.write("}"),
            "sub": lambda _: writer.write("}"),
        }

    def into(self, root: LexborNode, *, later: bool = False) -> None:
        """Write what is below a node.

        later: whether navigation and the like are left for `into_the_rest`.
        """
        known, top = _KNOWN | self.tags, root.mem_id
        write = self._out.write
        self._out.blank()
        node = root.child
        while node is not None:
            if node.is_text_node:
                write(node.text_content or "")
            elif node.tag not in known or self._opens(node, later=later):
                child = node.child
                if child is not None:
                    node = child
                    continue
                self._closes(node)
            node = self._onward(node, top)
        self._out.blank()

    def into_the_rest(self) -> None:
        """Write what was left for later."""
        for node in self._rest:
            self.into(node)

    def _onward(self, node: LexborNode, root: int) -> LexborNode | None:
        """The next node in the order of the text; the elements that end before it are closed.

        root: the `mem_id` of the node that is walked.
        """
        following = node.next
        while following is None:
            parent = node.parent
            if parent is None or parent.mem_id == root:
                return None
            if parent.tag in _KNOWN:
                self._closes(parent)
            node, following = parent, parent.next
        return following

    def _opens(self, node: LexborNode, *, later: bool) -> bool:
        """Enter an element; False if it is not to be read, now or at all."""
        tag = node.tag or ""
        if tag in _UNREAD or node.mem_id in self.unread:
            return False
        if later and (tag in _APART or node.mem_id in self.apart):
            self._rest.append(node)
            return False
        if tag == "pre" and node.css_first(_NOT_ONLY_TEXT) is None:
            self._out.begin_verbatim()
            self._out.write(node.text())
            self._out.end_verbatim()
            return False
        if tag in _HEADINGS:
            self._out.blank()
            self._out.begin("#" * _HEADINGS[tag] + " ")
            self._out.flat += 1
        elif tag in _PARAGRAPHS:
            self._break()
        elif tag in _LINES:
            self._out.end_line()
        enter = self._enter.get(tag)
        if enter is not None:
            enter(node)
        return True

    def _closes(self, node: LexborNode) -> None:
        tag = node.tag or ""
        leave = self._leave.get(tag)
        if leave is not None:
            leave(node)
        if tag in _HEADINGS:
            self._out.flat -= 1
            self._out.blank()
        elif tag in _PARAGRAPHS:
            self._break()
        elif tag in _LINES:
            self._out.end_line()

    def _break(self) -> None:
        """Between paragraphs stands a blank line, but lists are kept close."""
        if self._lists:
            self._out.end_line()
        else:
            self._out.blank()

    def _link(self, node: LexborNode) -> None:
        attributes = node.attributes
        name = attributes.get("aria-label") or attributes.get("title") or ""
        self._out.end_link((attributes.get("href") or "#").strip(), " ".join(name.split()))

    def _image(self, node: LexborNode) -> None:
        if node.attributes.get("alt", "?") != "":
            self._out.image(_attribute(node, "alt") or _attribute(node, "title"))

    def _field(self, node: LexborNode) -> None:
        if node.tag == "textarea" or (node.attributes.get("type") or "text") in _FIELDS:
            name = _attribute(node, "name") or _attribute(node, "placeholder")
            self._out.write(f" [Field {name}] ")

    def _item(self, _: LexborNode) -> None:
        indent = "  " * min(len(self._lists), _DEEP)
        number = self._lists[-1] if self._lists else 0
        self._out.begin(f"{indent}{number}. " if number else f"{indent}* ")
        if number:
            self._lists[-1] += 1

    def _end_list(self, _: LexborNode) -> None:
        self._lists.pop()

    def _table(self, node: LexborNode) -> None:
        """A table of plain cells is shown row by row; one that lays out a page, block by block."""
        shallow = len(self._tables) < _DEEP
        inside = node.css(_NO_CELLS) if shallow else []
        self._tables.append(shallow and all(one.mem_id == node.mem_id for one in inside))

    def _end_table(self, _: LexborNode) -> None:
        self._tables.pop()

    def _row(self, _: LexborNode) -> None:
        self._column = 0

    def _cell(self, _: LexborNode) -> None:
        if not (self._tables and self._tables[-1]):
            self._out.end_line()
            return
        if self._column:
            self._out.write(" | ")
        self._column += 1
        self._out.flat += 1

    def _end_cell(self, _: LexborNode) -> None:
        if self._tables and self._tables[-1]:
            self._out.flat -= 1


def _attribute(node: LexborNode, name: str) -> str:
    return " ".join((node.attributes.get(name) or "").split())

"""What a docstring tells a model: what a function does, and what each parameter is.

Docstrings are read as people write them: without a summary or without colons, with bullets, with
names in backquotes. The names of the parameters decide what an entry is, and what is certainly no
entry stays in the description.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from .docstring_entries import Entry, dedent, indentation, owner_of, parse_entry
from .docstring_sections import Section, split_sections


@dataclass(frozen=True, slots=True)
class Docstring:
    """The parts of a docstring that a model reads."""

    description: str = ""
    parameters: dict[str, str] = field(default_factory=dict[str, str])
    """Descriptions by parameter."""


def parse_docstring(
    text: str,
    parameters: Collection[str],
    *,
    hidden: Collection[str] = (),
    others: str | None = None,
) -> Docstring:
    """Read a docstring in the style of Google, NumPy or Sphinx.

    Sections about exceptions, examples and the like are for programmers, and are left out.

    text: without common indentation, as `inspect.getdoc` returns it.
    parameters: the names of those that the model sets.
    hidden: the names of those that it must not see.
    others: the name of the parameter that takes all other keywords. They are described with the
        function, because the model has no parameter for them.
    """
    return _Reader(frozenset(parameters), frozenset(hidden), others).read(text)


class _Reader:
    def __init__(self, visible: frozenset[str], hidden: frozenset[str], others: str | None) -> None:
        self._visible = visible
        self._known = visible | hidden
        self._others = others
        self._descriptions: dict[str, str] = {}

    def read(self, text: str) -> Docstring:
        paragraphs: list[str] = []
        types: dict[str, str] = {}
        returns: dict[str, str] = {}
        for section in split_sections(text.split("\n"), self._known):
            body = dedent(section.lines)
            if section.kind == "text":
                paragraphs.append(f"{section.title}:\n{body}" if section.title else body)
            elif section.kind == "parameters":
                paragraphs += self._read_entries(section)
            elif section.kind == "return type":
                types[section.title] = body
            elif section.kind == "returns":
                returns[section.title] = _join_values(body) if section.is_numpy else body
        for title in [*returns, *(title for title in types if title not in returns)]:
            parts = filter(None, [title, types.get(title), returns.get(title)])
            paragraphs.append(": ".join(parts))
        description = "\n\n".join(paragraph for paragraph in paragraphs if paragraph)
        return Docstring(description, self._descriptions)

    def _read_entries(self, section: Section) -> Iterator[str]:
        """Store the descriptions of parameters, and yield the text that describes none."""
        before: list[str] = []
        entry: Entry | None = None
        for line in dedent(section.lines).split("\n"):
            next_entry = None if indentation(line) else parse_entry(line, self._known)
            if next_entry is None:
                (before if entry is None else entry.lines).append(line)
                continue
            if entry is not None:
                yield from self._store(entry, section)
            entry = next_entry
        yield dedent(before)
        if entry is not None:
            yield from self._store(entry, section)

    def _store(self, entry: Entry, section: Section) -> Iterator[str]:
        text = entry.text(after_type=section.is_numpy)
        for name in entry.names:
            owner = owner_of(name)
            if owner in self._visible and name == owner:
                self._descriptions.setdefault(name, text)
            elif owner in self._visible:
                whole = self._descriptions.get(owner, "")
                self._descriptions[owner] = f"{whole}\n{name}: {text}".strip()
            elif owner not in self._known and self._others:
                yield f"{name}: {text}"


def _join_values(body: str) -> str:
    """Return what a section in NumPy's style returns: each value's type, and below it its text."""
    values: list[list[str]] = []
    for line in body.split("\n"):
        if values and (indentation(line) or not line):
            values[-1].append(line)
        else:
            values.append([line])
    return "\n".join(f"{first}: {dedent(below)}".removesuffix(": ") for first, *below in values)

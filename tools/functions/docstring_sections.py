"""The sections of a docstring in the styles of Google, NumPy and Sphinx, also mixed."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from .docstring_entries import dedent, indentation, parse_entry

SectionKind = Literal["text", "parameters", "returns", "return type", "omitted"]

_PARAMETERS = frozenset(
    f"{prefix}{word}"
    for word in ("args", "arguments", "params", "parameters", "kwargs", "parameter", "argument")
    for prefix in ("", "keyword ", "other ", "optional ", "required ", "input ")
) | {"inputs", "receives"}
_RETURNS = frozenset({"return", "returns", "yield", "yields"})
# For programmers: a model has no use for them.
_OMITTED = frozenset(
    {"raise", "raises", "except", "exception", "exceptions", "throws", "warns", "example"}
    | {"examples", "attributes", "methods", "references", "see also", "todo", "todos"}
)

_ADMONITION = re.compile(
    r"(?:notes?|warnings?|caution|important|tip|hint|attention|danger)\s*:", re.IGNORECASE
)
_HEADER = re.compile(r"\s*(?P<title>[A-Za-z][A-Za-z ]*?)\s*:\s*(?P<rest>.*)")
_NUMPY_HEADER = re.compile(r"\s*(?P<title>[A-Za-z][A-Za-z ]*?)\s*")
_UNDERLINE = re.compile(r"\s*(-{3,}|={3,})\s*")
_PARAMETER_FIELD = re.compile(
    r"\s*[:@](?:param|parameter|arg|argument|key|keyword|kwarg)\s+"
    r"(?:[^:]*?\s)?(?:\\?\*){0,2}(?P<name>[\w.\[\]]+)\s*:\s*(?P<text>.*)"
)
_FIELD = re.compile(r"\s*[:@](?P<title>\w+)(?:\s+[^:]*)?:(?!\S)\s*(?P<text>.*)")
_FIELD_KINDS: dict[str, tuple[SectionKind, str]] = {
    "return": ("returns", "Returns"),
    "returns": ("returns", "Returns"),
    "rtype": ("return type", "Returns"),
    "yield": ("returns", "Yields"),
    "yields": ("returns", "Yields"),
    "ytype": ("return type", "Yields"),
    **dict.fromkeys(("raise", "raises", "except", "exception"), ("omitted", "")),
    **dict.fromkeys(("type", "kwtype", "var", "vartype", "ivar", "cvar"), ("omitted", "")),
}


@dataclass(frozen=True, slots=True)
class Section:
    """Consecutive lines of one kind."""

    kind: SectionKind
    title: str
    """The header; empty for text without one."""
    lines: Sequence[str]
    is_numpy: bool = False


def split_sections(lines: Sequence[str], parameters: Collection[str]) -> Iterator[Section]:
    """Split a docstring.

    parameters: all names of parameters. They tell where a section of entries ends.
    """
    splitter = _Splitter(lines, parameters)
    text: list[str] = []
    index = 0
    while index < len(lines):
        found = splitter.section_at(index)
        if found is None:
            text.append(lines[index])
            index += 1
            continue
        section, index = found
        yield Section("text", "", text)
        yield section
        text = []
    yield Section("text", "", text)


class _Splitter:
    """Finds out whether a section begins at a line, and where it ends."""

    def __init__(self, lines: Sequence[str], parameters: Collection[str]) -> None:
        self._lines = lines
        self._parameters = parameters

    def section_at(self, start: int) -> tuple[Section, int] | None:
        """Return the section that begins at a line, and the index of the line after it."""
        return self._field_at(start) or self._numpy_at(start) or self._google_at(start)

    def _field_at(self, start: int) -> tuple[Section, int] | None:
        """Read a field in Sphinx's style, such as `:param x: the x`."""
        parameter = _PARAMETER_FIELD.fullmatch(self._lines[start])
        other = _FIELD.fullmatch(self._lines[start])
        if parameter is None and (other is None or other["title"] not in _FIELD_KINDS):
            return None
        end = start + 1
        while end < len(self._lines) and self._continues_field(start, end):
            end += 1
        below = self._lines[start + 1 : end]
        if parameter is not None:
            entry = f"{parameter['name']}: {parameter['text']}"
            return Section("parameters", "", [entry, *(f"    {line}" for line in below)]), end
        assert other is not None
        kind, title = _FIELD_KINDS[other["title"]]
        return Section(kind, title, [other["text"], *below]), end

    def _continues_field(self, start: int, index: int) -> bool:
        """Return whether a line belongs to the field that starts before it.

        It does if it is indented, and also if it follows without a blank line.
        """
        line = self._lines[index]
        if not line.strip():
            line = next((line for line in self._lines[index:] if line.strip()), "")
            return indentation(line) > indentation(self._lines[start])
        if indentation(line) > indentation(self._lines[start]):
            return True
        return bool(self._lines[index - 1].strip()) and self.section_at(index) is None

    def _numpy_at(self, start: int) -> tuple[Section, int] | None:
        title = self._numpy_title(start)
        if title is None:
            return None
        kind = _kind_of(title)
        end = start + 2
        while end < len(self._lines) and self._numpy_title(end) is None:
            if kind == "parameters" and self._ends_entries(start, end):
                break
            end += 1
        return Section(kind, title, self._lines[start + 2 : end], is_numpy=True), end

    def _numpy_title(self, index: int) -> str | None:
        """Return the title if a line is underlined."""
        title = _NUMPY_HEADER.fullmatch(self._lines[index])
        below = self._lines[index + 1 : index + 2]
        return title["title"] if title and below and _UNDERLINE.fullmatch(below[0]) else None

    def _google_at(self, start: int) -> tuple[Section, int] | None:
        header = _HEADER.fullmatch(self._lines[start])
        if header is None or (kind := _kind_of(header["title"])) == "text":
            return None
        end = start + 1
        while end < len(self._lines) and self._is_below(start, end):
            end += 1
        has_entry = not header["rest"] or self._starts_entry(header["rest"])
        if kind == "parameters" and has_entry and not dedent(self._lines[start + 1 : end]):
            while end < len(self._lines) and not self._ends_entries(start, end):
                end += 1
        body = self._lines[start + 1 : end]
        if header["rest"]:
            margin = min((indentation(line) for line in body if line.strip()), default=0)
            body = [" " * margin + header["rest"], *body]
        if kind == "parameters":
            is_section = any(self._starts_entry(line) for line in body)
        else:
            is_section = bool(dedent(body)) and (kind == "returns" or not header["rest"])
        return (Section(kind, header["title"].capitalize(), body), end) if is_section else None

    def _is_below(self, start: int, index: int) -> bool:
        line = self._lines[index]
        return not line.strip() or indentation(line) > indentation(self._lines[start])

    def _ends_entries(self, start: int, index: int) -> bool:
        """Return whether entries that are as far left as their header end before a line."""
        line = self._lines[index]
        if self._is_below(start, index):
            return False
        if self.section_at(index) is not None or _ADMONITION.match(line):
            return True
        return not self._starts_entry(line) and not self._lines[index - 1].strip()

    def _starts_entry(self, line: str) -> bool:
        return parse_entry(line.strip(), self._parameters) is not None


def _kind_of(title: str) -> SectionKind:
    title = title.lower()
    if title in _PARAMETERS:
        return "parameters"
    if title in _RETURNS:
        return "returns"
    return "omitted" if title in _OMITTED else "text"

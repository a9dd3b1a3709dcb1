"""The text of a patch as operations on files.

    *** Begin Patch
    *** Add File: hello.txt
    +Hello
    *** Update File: src/app.py
    *** Move to: src/main.py
    @@ def greet():
     # say it
    -print("Hi")
    +print("Hello")
    *** Delete File: old.txt
    *** End Patch

Models indent markers, leave out the prefix of empty lines, and put the patch into a fence or a
shell's here-document. All of that is accepted.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

BEGIN, END, END_OF_FILE = "*** Begin Patch", "*** End Patch", "*** End of File"
_OPERATION = re.compile(r"\*\*\* (?P<kind>Add|Delete|Update) File:(?P<path>.*)")
_MOVE = re.compile(r"\*\*\* Move to:(?P<path>.*)")
_WRAPPER = re.compile(
    r"\s*(?:apply_patch\s*)?(?:<<\s*(?P<quote>['\"]?)(?P<end>\w+)(?P=quote)|```[\w-]*)[ \t]*\n"
    r"(?P<patch>.*)\n(?(end)(?P=end)|```)\s*",
    re.DOTALL,
)


class PatchError(ValueError):
    """The patch is malformed or does not fit the files. The model reads the text."""


@dataclass(frozen=True, slots=True)
class AddFile:
    """Write a file, also over an existing one."""

    path: str
    lines: Sequence[str]


@dataclass(frozen=True, slots=True)
class DeleteFile:
    """Delete a file."""

    path: str


@dataclass(slots=True)
class Hunk:
    """A change of some lines of a file."""

    header: str = ""
    """A line above the place, such as the definition of the function; empty: none."""
    lines: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """Each line with its sign: `-` for a removed one, `+` for an added one, else a space."""
    is_at_end: bool = False
    """Whether the lines are the last ones of the file."""

    @property
    def old(self) -> list[str]:
        """The lines that are there: the context, and what is removed."""
        return [line for sign, line in self.lines if sign != "+"]


@dataclass(frozen=True, slots=True)
class UpdateFile:
    """Change a file, and perhaps move it."""

    path: str
    hunks: Sequence[Hunk]
    new_path: str | None = None


Operation = AddFile | DeleteFile | UpdateFile


def parse_patch(text: str) -> list[Operation]:
    """Return the operations of a patch. Raises PatchError, with the line."""
    return _Parser(text).parse()


class _Parser:
    def __init__(self, text: str) -> None:
        wrapped = _WRAPPER.fullmatch(text)
        text = wrapped["patch"] if wrapped else text
        self._lines = [line.removesuffix("\r") for line in text.strip("\r\n").split("\n")]
        while self._lines and not self._lines[-1].strip():
            self._lines.pop()
        self._next = 0

    def parse(self) -> list[Operation]:
        if self._line.strip() != BEGIN:
            raise PatchError(f"the first line of a patch is `{BEGIN}`, not {self._line!r}")
        if self._lines[-1].strip() != END:
            raise PatchError(f"the last line of a patch is `{END}`, not {self._lines[-1]!r}")
        self._next = 1
        operations: list[Operation] = []
        while self._line.strip() != END:
            operations.append(self._operation())
        if self._next != len(self._lines) - 1:
            raise self._error(f"`{END}` must be the last line")
        if not operations:
            raise PatchError("the patch has no operation: add, delete or update at least one file")
        return operations

    @property
    def _line(self) -> str:
        return self._lines[self._next] if self._next < len(self._lines) else END

    def _operation(self) -> Operation:
        found = _OPERATION.fullmatch(self._line.strip())
        if found is None or not found["path"].strip():
            raise self._error(
                "write `*** Add File: path`, `*** Delete File: path` or `*** Update File: path`"
            )
        self._next += 1
        path = found["path"].strip()
        if found["kind"] == "Delete":
            return DeleteFile(path)
        return self._added(path) if found["kind"] == "Add" else self._updated(path)

    def _added(self, path: str) -> AddFile:
        lines: list[str] = []
        while not self._is_end_of_operation():
            if not self._line.startswith("+"):
                raise self._error("every line of a new file begins with +")
            lines.append(self._line[1:])
            self._next += 1
        return AddFile(path, lines)

    def _updated(self, path: str) -> UpdateFile:
        moved = _MOVE.fullmatch(self._line.strip())
        new_path = moved["path"].strip() if moved else None
        self._next += moved is not None
        hunks: list[Hunk] = []
        while not self._is_end_of_operation():
            hunks.append(self._hunk(is_first=not hunks))
        if not hunks and new_path is None:
            raise self._error(f"the update of {path} has no hunk: begin one with @@")
        return UpdateFile(path, hunks, new_path)

    def _hunk(self, *, is_first: bool) -> Hunk:
        hunk = Hunk()
        if self._line.startswith("@@"):
            hunk.header = self._line[2:].strip().removesuffix("@@").rstrip()
            self._next += 1
        elif not is_first:
            raise self._error("begin a hunk with @@")
        start = self._next
        while not (self._is_end_of_operation() or self._line.startswith("@@")):
            line = self._line
            if line.strip() == END_OF_FILE:
                hunk.is_at_end = True
                self._next += 1
                break
            if line and line[0] not in " +-":
                raise self._error("every line of a hunk begins with a space, + or -")
            hunk.lines.append((line[:1] or " ", line[1:]))
            self._next += 1
        if self._next == start:
            raise self._error("the hunk has no line")
        return hunk

    def _is_end_of_operation(self) -> bool:
        return self._line.strip() == END or _OPERATION.fullmatch(self._line.strip()) is not None

    def _error(self, text: str) -> PatchError:
        return PatchError(f"line {self._next + 1} of the patch is {self._line!r}: {text}")

"""What a patch makes of the files, before anything is written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from .folder import ConfinedFolder
from .parser import AddFile, DeleteFile, Hunk, Operation, PatchError, UpdateFile

# Characters that models write differently from the file.
_PLAIN = str.maketrans(
    {
        **dict.fromkeys("\N{HYPHEN}\N{NON-BREAKING HYPHEN}\N{FIGURE DASH}\N{EN DASH}", "-"),
        **dict.fromkeys("\N{EM DASH}\N{HORIZONTAL BAR}\N{MINUS SIGN}", "-"),
        **dict.fromkeys("\N{LEFT SINGLE QUOTATION MARK}\N{RIGHT SINGLE QUOTATION MARK}", "'"),
        **dict.fromkeys("\N{LEFT DOUBLE QUOTATION MARK}\N{RIGHT DOUBLE QUOTATION MARK}", '"'),
        **dict.fromkeys("\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}\N{THIN SPACE}", " "),
        "\N{HORIZONTAL ELLIPSIS}": "...",
    }
)
# How lines are compared, strictest first.
_COMPARISONS: tuple[Callable[[str], str], ...] = (
    str,
    str.rstrip,
    str.strip,
    lambda line: line.translate(_PLAIN).strip(),
)


@dataclass(frozen=True, slots=True)
class FileChange:
    """The new content of a file."""

    path: str
    text: str | None
    """None: the file is deleted."""
    mark: str
    """`A` for a new file, `M` for a changed one, `D` for a deleted one."""


def plan_changes(operations: Sequence[Operation], folder: ConfinedFolder) -> list[FileChange]:
    """Return what the operations make of the files of a folder, in order.

    Raises PatchError if an operation does not fit the files.
    """
    changed: dict[str, str | None] = {}
    changes: list[FileChange] = []

    def read(path: str) -> str | None:
        return changed[path] if path in changed else folder.read(path)

    def change(path: str, text: str | None, mark: str) -> None:
        changed[path] = text
        changes.append(FileChange(path, text, mark))

    for operation in operations:
        path = folder.normalize(operation.path)
        before = read(path)
        if isinstance(operation, AddFile):
            text = "".join(f"{line}\n" for line in operation.lines)
            change(path, text, "A" if before is None else "M")
            continue
        if before is None:
            raise PatchError(f"{path} does not exist; use `*** Add File: {path}` for a new file")
        if isinstance(operation, DeleteFile):
            change(path, None, "D")
            continue
        new_path = path if operation.new_path is None else folder.normalize(operation.new_path)
        if new_path != path:
            read(new_path)  # finds out whether a file may be there
            change(path, None, "D")
        change(new_path, update_text(before, operation), "M")
    _check_folders([path for path, text in changed.items() if text is not None])
    return changes


def _check_folders(paths: Sequence[str]) -> None:
    """Raise PatchError if one of the files would have to be the folder of another."""
    files = set(paths)
    for path in paths:
        for parent in PurePosixPath(path).parents:
            if str(parent) in files:
                raise PatchError(f"{path} cannot be below {parent}, which is a file in this patch")


def update_text(text: str, update: UpdateFile) -> str:
    """Return the text of a file with all hunks applied. It ends with a line feed.

    Lines that are added end as the file's own lines do, with LF or CRLF.

    Raises PatchError if the lines of a hunk are not in the file.
    """
    lines = text.removesuffix("\n").split("\n") if text else []
    ending = "\r" if lines and sum(line.endswith("\r") for line in lines) * 2 > len(lines) else ""
    after: list[str] = []
    done = 0
    for hunk in update.hunks:
        start = _find_hunk(lines, hunk, done, update.path)
        after += lines[done:start]
        done = start
        for sign, line in hunk.lines:
            if sign == "+":
                after.append(line + ending)
                continue
            if sign == " ":
                after.append(lines[done])
            done += 1
    after += lines[done:]
    if after and ending and not after[-1].endswith("\r"):
        after[-1] += "\r"
    return "".join(f"{line}\n" for line in after)


def _find_hunk(lines: Sequence[str], hunk: Hunk, start: int, path: str) -> int:
    """Return the index of the hunk's first line in the file."""
    if hunk.header:
        header = _find(lines, [hunk.header], start)
        # Models repeat the header of the hunk before.
        if header is None and _find(lines[:start], [hunk.header], 0) is None:
            raise PatchError(f"{path} has no line {hunk.header!r}{_after(start)}")
        start = start if header is None else header + 1
    old = hunk.old
    if not old:
        return start if hunk.header and not hunk.is_at_end else len(lines)
    found = None
    if hunk.is_at_end:
        found = _find(lines, old, max(start, len(lines) - len(old)))
    if found is None:
        found = _find(lines, old, start)
    if found is None and hunk.lines[-1] == (" ", ""):  # it separates the hunk from what follows
        hunk.lines.pop()
        return _find_hunk(lines, hunk, start, path)
    if found is None:
        raise PatchError(f"{path} has no such lines{_after(start)}:\n" + "\n".join(old))
    return found


def _after(line: int) -> str:
    return f" after line {line}" if line else ""


def _find(lines: Sequence[str], wanted: Sequence[str], start: int) -> int | None:
    """Return where the wanted lines begin: with the strictest comparison that finds them."""
    for normalize in _COMPARISONS:
        normalized = [normalize(line) for line in wanted]
        candidates = [normalize(line.removesuffix("\r")) for line in lines[start:]]
        for at in range(len(candidates) - len(normalized) + 1):
            if candidates[at : at + len(normalized)] == normalized:
                return start + at
    return None

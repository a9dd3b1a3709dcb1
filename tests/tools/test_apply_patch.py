"""The tool `apply_patch`: the published format, as models write it, and nothing outside its folder.

The cases have the subjects of the scenarios that are published with the format.
"""

from __future__ import annotations

import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from anyio import fail_after

from ossia.tools import ApplyPatch, Toolbox, ToolDefinitionError, ToolResult
from ossia.tools.patch import ConfinedFolder

Ask = Callable[..., Awaitable[ToolResult]]


class Case(NamedTuple):
    before: dict[str, str]
    patch: str
    after: dict[str, str]
    text: str = "Done."
    """What the result must contain."""


def patch(*lines: str) -> str:
    return "\n".join(["*** Begin Patch", *lines, "*** End Patch"])


SIX = "one\ntwo\nthree\nfour\nfive\nsix\n"
CASES = {
    "add a file": Case(
        {}, patch("*** Add File: a.md", "+text", "+"), {"a.md": "text\n\n"}, "A a.md"
    ),
    "add an empty file": Case({}, patch("*** Add File: a"), {"a": ""}),
    "add in new folders": Case({}, patch("*** Add File: x/y/a", "+1"), {"x/y/a": "1\n"}),
    "several operations": Case(
        {"gone": "1\n", "kept": "a\nb\n"},
        patch(
            "*** Add File: n/new", "+made", "*** Delete File: gone", "*** Update File: kept"
        ).replace("*** End", "@@\n-b\n+B\n*** End"),
        {"n/new": "made\n", "kept": "a\nB\n"},
        "A n/new\nD gone\nM kept",
    ),
    "several hunks": Case(
        {"a": SIX},
        patch("*** Update File: a", "@@", "-two", "+2", "@@", "-five", "+5"),
        {"a": "one\n2\nthree\nfour\n5\nsix\n"},
    ),
    "move": Case(
        {"old/a": "1\n", "old/b": "2\n"},
        patch("*** Update File: old/a", "*** Move to: new/deep/a", "@@", "-1", "+one"),
        {"old/b": "2\n", "new/deep/a": "one\n"},
    ),
    "move over a file": Case(
        {"a": "1\n", "b": "2\n"},
        patch("*** Update File: a", "*** Move to: b", "@@", "-1", "+one"),
        {"b": "one\n"},
    ),
    "move without a change": Case(
        {"a": "1\n"}, patch("*** Update File: a", "*** Move to: b"), {"b": "1\n"}
    ),
    "add over a file": Case({"a": "1\n"}, patch("*** Add File: a", "+2"), {"a": "2\n"}, "M a"),
    "delete": Case({"a": "1\n", "b": "2\n"}, patch("*** Delete File: a"), {"b": "2\n"}, "D a"),
    "delete, then add": Case(
        {"a": "1\n"}, patch("*** Delete File: a", "*** Add File: a", "+2"), {"a": "2\n"}
    ),
    "add, then update": Case(
        {}, patch("*** Add File: a", "+1", "*** Update File: a", "@@", "-1", "+2"), {"a": "2\n"}
    ),
    "two spellings of a path": Case(
        {"a": "1\n2\n"},
        patch("*** Update File: a", "@@", "-1", "+one", "*** Update File: ./a", "@@", "-2", "+two"),
        {"a": "one\ntwo\n"},
    ),
    "a move to the same place": Case(
        {"a": "1\n"},
        patch("*** Update File: a", "*** Move to: ./a", "@@", "-1", "+2"),
        {"a": "2\n"},
    ),
    "the last line feed is added": Case(
        {"a": "one"}, patch("*** Update File: a", "@@", "-one", "+1", "+2"), {"a": "1\n2\n"}
    ),
    "added lines only": Case(
        {"a": "1\n2\n"}, patch("*** Update File: a", "@@", "+3", "+4"), {"a": "1\n2\n3\n4\n"}
    ),
    "added below a header": Case(
        {"a": "def f():\n    pass\n"},
        patch("*** Update File: a", "@@ def f():", "+    # here"),
        {"a": "def f():\n    # here\n    pass\n"},
    ),
    "removed lines only": Case(
        {"a": "1\n2\n3\n"}, patch("*** Update File: a", "@@", " 1", "-2", " 3"), {"a": "1\n3\n"}
    ),
    "everything removed": Case({"a": "1\n"}, patch("*** Update File: a", "@@", "-1"), {"a": ""}),
    "the end of the file": Case(
        {"a": "x\nend\nx\nend\n"},
        patch("*** Update File: a", "@@", " x", "-end", "+END", "*** End of File"),
        {"a": "x\nend\nx\nEND\n"},
    ),
    "a header chooses the place": Case(
        {"a": "def f():\n    go()\ndef g():\n    go()\n"},
        patch("*** Update File: a", "@@ def g():", "-    go()", "+    stop()"),
        {"a": "def f():\n    go()\ndef g():\n    stop()\n"},
    ),
    "a header again": Case(
        {"a": "def f():\n    a()\n    b()\n"},
        patch(
            "*** Update File: a", "@@ def f():", "-    a()", "+    A()", "@@ def f():", "-    b()"
        ),
        {"a": "def f():\n    A()\n"},
    ),
    "no header for the first hunk": Case(
        {"a": "1\n2\n"}, patch("*** Update File: a", " 1", "-2", "+two"), {"a": "1\ntwo\n"}
    ),
    "spaces around markers": Case(
        {"a": "1\n"},
        "  *** Begin Patch  \n  *** Update File: a  \n@@\n-1\n+2\n *** End Patch \n\n",
        {"a": "2\n"},
    ),
    "Unicode": Case(
        {"a": "naïve café 東京\n"},
        patch("*** Update File: a", "@@", "-naïve café 東京", "+naïve café ✅"),
        {"a": "naïve café ✅\n"},
    ),
    "line separators inside a line": Case(
        {"a": "one\u2028two\x0cthree\n"},
        patch("*** Update File: a", "@@", "-one\u2028two\x0cthree", "+1"),
        {"a": "1\n"},
    ),
    "white space at line ends": Case(
        {"a": "one  \ntwo\t\n"},
        patch("*** Update File: a", "@@", " one", "-two", "+2"),
        {"a": "one  \n2\n"},
    ),
    "another indentation": Case(
        {"a": "\tif x:\n\t\tgo()\n"},
        patch("*** Update File: a", "@@", " if x:", "-    go()", "+\t\tstop()"),
        {"a": "\tif x:\n\t\tstop()\n"},
    ),
    "typographic characters": Case(
        {"a": "“yes” – it’s\nnext\n"},
        patch("*** Update File: a", "@@", ' "yes" - it\'s', "-next", "+last"),
        {"a": "“yes” – it’s\nlast\n"},
    ),
    "an empty context line": Case(
        {"a": "1\n\n2\n"},
        patch("*** Update File: a", "@@", " 1", "", "-2", "+two"),
        {"a": "1\n\ntwo\n"},
    ),
    "an empty line before the end": Case(
        {"a": "1\n2\n"}, patch("*** Update File: a", "@@", "-2", "+two", ""), {"a": "1\ntwo\n"}
    ),
    "a fence": Case({}, f"```diff\n{patch('*** Add File: a', '+1')}\n```", {"a": "1\n"}),
    "a here-document": Case(
        {}, f"apply_patch <<'EOF'\n{patch('*** Add File: a', '+1')}\nEOF\n", {"a": "1\n"}
    ),
    "CRLF in the file": Case(
        {"a": "1\r\n2\r\n3\r\n"},
        patch("*** Update File: a", "@@", " 1", "-2", "+two", "+too"),
        {"a": "1\r\ntwo\r\ntoo\r\n3\r\n"},
    ),
    "CRLF in the patch": Case(
        {"a": "1\n2\n"},
        patch("*** Update File: a", "@@", "-2", "+two").replace("\n", "\r\n"),
        {"a": "1\ntwo\n"},
    ),
}


FAILURES = {
    "an empty patch": (patch(), "the patch has no operation"),
    "no patch": ("hello", "the first line of a patch is `*** Begin Patch`, not 'hello'"),
    "a missing end": ("*** Begin Patch\n*** Delete File: a", "the last line of a patch is"),
    "missing lines": (
        patch("*** Update File: a", "@@", " one", "-TWO", "+2"),
        "a has no such lines:\none\nTWO",
    ),
    "lines in another order": (
        patch("*** Update File: a", "@@", "-five", "@@", "-two"),
        "a has no such lines after line 5:\ntwo",
    ),
    "a missing header": (patch("*** Update File: a", "@@ seven", "-two"), "a has no line 'seven'"),
    "a missing file to delete": (patch("*** Delete File: b"), "b does not exist"),
    "a missing file to update": (
        patch("*** Update File: b", "@@", "-1"),
        "b does not exist; use `*** Add File: b` for a new file",
    ),
    "an update without hunks": (patch("*** Update File: a"), "the update of a has no hunk"),
    "an empty hunk": (patch("*** Update File: a", "@@", "@@", "-two"), "the hunk has no line"),
    "a folder": (patch("*** Delete File: folder"), "folder is not a file"),
    "an unknown operation": (
        patch("*** Rename File: a"),
        "line 2 of the patch is '*** Rename File: a': write `*** Add File: path`",
    ),
    "a line without a sign": (
        patch("*** Update File: a", "@@", "one"),
        "line 4 of the patch is 'one': every line of a hunk begins with a space, + or -",
    ),
    "a new file's line without +": (patch("*** Add File: b", "x"), "a new file begins with +"),
    "a failure after a success": (
        patch("*** Add File: b", "+1", "*** Delete File: c"),
        "c does not exist",
    ),
    "a parent folder": (patch("*** Add File: ../b", "+1"), "is not a path below the folder"),
    "a parent inside": (patch("*** Add File: folder/../../b", "+1"), "is not a path below"),
    "an absolute path": (patch("*** Add File: /tmp/ossia-b", "+1"), "is not a path below"),
    "a move outside": (
        patch("*** Update File: a", "*** Move to: ../b", "@@", "-two"),
        "is not a path below the folder",
    ),
    "a link to a folder": (
        patch("*** Add File: link/b", "+1"),
        "'link' in link/b is a file or a link",
    ),
    "a link to a file": (patch("*** Update File: secret", "@@", "-key", "+x"), "secret"),
    "an add over a link": (patch("*** Add File: secret", "+x"), "secret"),
    "version control": (patch("*** Add File: .git/hooks/b", "+x"), "belongs to version control"),
    "version control in capitals": (patch("*** Add File: x/.GIT/b", "+x"), "version control"),
    "a file as a folder": (patch("*** Add File: a/b", "+1"), "'a' in a/b is a file or a link"),
    "a new file as a folder": (
        patch("*** Add File: new", "+1", "*** Add File: new/b", "+1"),
        "new/b cannot be below new, which is a file in this patch",
    ),
    "a pipe": (patch("*** Delete File: pipe"), "pipe is not a file"),
    "bytes": (patch("*** Update File: bytes", "@@", "-x"), "bytes is not a text file in UTF-8"),
    "a NUL": (patch("*** Add File: a\0b", "+1"), "is not a path below the folder"),
}


def files_in(folder: Path) -> dict[str, str]:
    found = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return {str(path.relative_to(folder)): path.read_bytes().decode() for path in found}


def bytes_in(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def write_files(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text.encode())


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_a_patch_is_applied(case: Case, tmp_path: Path, ask: Ask) -> None:
    write_files(tmp_path, case.before)
    result = await ask(ApplyPatch(tmp_path), json.dumps({"patch": case.patch}))
    assert case.text in result.message.text
    assert files_in(tmp_path) == case.after


@pytest.mark.parametrize(("written", "message"), FAILURES.values(), ids=FAILURES)
async def test_a_patch_that_does_not_fit_changes_nothing(
    written: str, message: str, tmp_path: Path, ask: Ask
) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "project"
    write_files(outside, {"secret": "key\n"})
    write_files(folder, {"a": SIX, "folder/c": "1\n"})
    (folder / "link").symlink_to(outside)
    (folder / "secret").symlink_to(outside / "secret")
    os.mkfifo(folder / "pipe")
    (folder / "bytes").write_bytes(b"\xff\xfe")
    before = bytes_in(tmp_path)
    result = await ask(ApplyPatch(folder), json.dumps({"patch": written}))
    assert result.failed
    assert result.message.text.startswith("Error: the patch was not applied: ")
    assert message in result.message.text
    assert bytes_in(tmp_path) == before


@pytest.mark.parametrize("form", ["{}", '"{}"', '{{"patch": "{}"}}', '{{"input": "{}"}}'])
async def test_a_patch_may_be_written_as_text_or_in_json(
    form: str, tmp_path: Path, ask: Ask
) -> None:
    written = patch("*** Add File: a", "+1")
    if form != "{}":
        written = json.dumps(written)[1:-1]
    assert not (await ask(ApplyPatch(tmp_path), form.format(written))).failed
    assert files_in(tmp_path) == {"a": "1\n"}


async def test_arguments_without_a_patch_are_refused(tmp_path: Path, ask: Ask) -> None:
    result = await ask(ApplyPatch(tmp_path), '{"a": 1, "b": 2}')
    assert "write the patch as the only argument" in result.message.text


async def test_a_folder_that_cannot_be_written_is_reported(
    tmp_path: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(folder: ConfinedFolder, path: str, text: str) -> None:
        if path == "b":
            raise PermissionError(13, "Permission denied", "b")
        write(folder, path, text)

    write = ConfinedFolder.write
    monkeypatch.setattr(ConfinedFolder, "write", refuse)
    write_files(tmp_path, {"gone": "1\n"})
    written = patch("*** Delete File: gone", "*** Add File: a", "+1", "*** Add File: b", "+1")
    result = await ask(ApplyPatch(tmp_path), written)
    assert result.message.text == "Error: the patch was applied only to a: b: Permission denied"
    assert files_in(tmp_path) == {"gone": "1\n", "a": "1\n"}


async def test_a_long_line_is_parsed_in_linear_time(tmp_path: Path, ask: Ask) -> None:
    written = patch("*** Update File: a" + " " * 200_000 + "b", "@@", "-1")
    with fail_after(60):  # a quadratic pattern took two minutes
        assert (await ask(ApplyPatch(tmp_path), json.dumps(written))).failed


async def test_permissions_stay(tmp_path: Path, ask: Ask) -> None:
    write_files(tmp_path, {"run.sh": "1\n"})
    (tmp_path / "run.sh").chmod(0o750)
    await ask(ApplyPatch(tmp_path), patch("*** Update File: run.sh", "@@", "-1", "+2"))
    assert (tmp_path / "run.sh").stat().st_mode & 0o777 == 0o750


async def test_an_absolute_path_inside_the_folder_is_accepted(tmp_path: Path, ask: Ask) -> None:
    await ask(ApplyPatch(tmp_path), patch(f"*** Add File: {tmp_path}/a", "+1"))
    assert files_in(tmp_path) == {"a": "1\n"}


def test_the_folder_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ToolDefinitionError, match="create it first"):
        Toolbox([ApplyPatch(tmp_path / "missing")])

"""The files of a run are written into a folder of the user's, and never outside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ossia.agent import Agent, RunFile, RunResult, Usage
from ossia.agent.testing import ScriptedEngine, answer_turn, python_turn
from ossia.sandbox import UnsafeLocalSandbox
from ossia.tools import PythonTool


async def test_the_files_of_a_run_are_saved(tmp_path: Path) -> None:
    code = (
        "import os; os.makedirs('plots', exist_ok=True)\n"
        "open('plots/a.txt', 'w').write('1'); open('b.txt', 'w').write('2')"
    )
    engine = ScriptedEngine([python_turn(code), answer_turn("Done")])
    result = await Agent(engine, tools=[PythonTool(UnsafeLocalSandbox)]).run("Write files")
    saved = result.save_files(tmp_path / "new")
    assert {str(path.relative_to(tmp_path)) for path in saved} == {"new/plots/a.txt", "new/b.txt"}
    assert {path.name: path.read_text() for path in saved} == {"a.txt": "1", "b.txt": "2"}


@pytest.mark.parametrize(
    ("path", "saved"),
    [
        ("/mnt/data/a.txt", "a.txt"),
        ("/mnt/data/../../etc/passwd", "etc/passwd"),
        ("../../etc/passwd", "etc/passwd"),
        ("/etc/passwd", "passwd"),
        ("/tmp/ossia-1/full.txt", "full.txt"),
    ],
)
def test_no_path_leads_out_of_the_folder(path: str, saved: str, tmp_path: Path) -> None:
    files = (RunFile(path=path, data=b"1"), RunFile(path="/mnt/data/gone", data=None))
    result = RunResult(run_id="a", output="", messages=(), usage=Usage(), seconds=0, files=files)
    assert result.save_files(tmp_path) == [tmp_path / saved]
    assert (tmp_path / saved).read_bytes() == b"1"

"""The recipes of CONTRIBUTING.md run, and their tests pass."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.examples.programs import run_program
from tests.house.documents import code_blocks

BLOCKS = [block.text for block in code_blocks("CONTRIBUTING.md", "python")]


@pytest.mark.parametrize("text", BLOCKS)
async def test_a_recipe_works(text: str, tmp_path: Path) -> None:
    assert "\ndef test_" in text
    program = await run_program(text, [], tmp_path)
    assert (program.stdout, program.stderr) == ([], "")

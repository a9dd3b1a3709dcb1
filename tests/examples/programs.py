"""The Python blocks of a document, run as the programs that a reader would make of them."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import anyio

from ossia.agent.testing import Reply, open_fake_vllm

URL = "http://127.0.0.1:8000"
"""The engine in the blocks. The program that runs gets the URL of a fake server instead."""
PROGRAM_S = 120.0

_PRINTED = re.compile(r"^ *print\(.*\)(?:  |\n)# (.+)$", re.MULTILINE)
_TEST = re.compile(r"^(?:async )?def (test_\w+)\(", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Program:
    """A program that was run, and what it wrote."""

    stdout: list[str]
    stderr: str
    requests: int


async def run_program(text: str, turns: Iterable[list[int]], folder: Path) -> Program:
    """Run a program, with the turns as the model's. Tests in it are called. It must succeed."""
    calls = "".join(
        f"\nanyio.run({found[1]})" if found[0].startswith("async") else f"\n{found[1]}()"
        for found in _TEST.finditer(text)
    )
    async with open_fake_vllm([Reply(turn=turn) for turn in turns]) as fake:
        path = folder / "program.py"
        path.write_text(text.replace(URL, fake.url) + calls)
        with anyio.fail_after(PROGRAM_S):
            command = [sys.executable, str(path)]
            done = await anyio.run_process(command, cwd=folder, check=False)
        stdout, stderr = done.stdout.decode(), done.stderr.decode()
        assert done.returncode == 0, stdout + stderr
        return Program(stdout.splitlines(), stderr, len(fake.requests))


def printed_lines(text: str) -> list[str]:
    """Return what a program prints, according to the comments at its prints."""
    return _PRINTED.findall(text)

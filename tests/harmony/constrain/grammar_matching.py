"""Matching of turns against grammars, by xgrammar in the engine's interpreter."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from ossia.agent.engines.vllm import engine_python

Case = tuple[str, list[list[int]]]
"""A grammar, and turns to match."""


def match(cases: Sequence[Case]) -> list[list[int | None]]:
    """Return for each turn None if it matches, or the index of the token that is rejected."""
    request = json.dumps([{"grammar": grammar, "turns": turns} for grammar, turns in cases])
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [engine_python(), Path(__file__).with_name("xgrammar_matcher.py")],
        input=request.encode(),
        env={**os.environ, "PYTHONPATH": str(root / ".typing")},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    rejected_at: list[list[int | None]] = json.loads(done.stdout)
    return rejected_at

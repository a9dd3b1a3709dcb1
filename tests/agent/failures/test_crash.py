"""A run continues after a SIGKILL: nothing is lost, and no finished call runs twice."""

from __future__ import annotations

import json
import random
import sqlite3
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.agent.failures.crash_worker import CALLS

WORKER = Path(__file__).with_name("crash_worker.py")
RECORDS = 2 * CALLS + 3
"""The opening, a turn and a result for each call, the last turn, and its acceptance."""
INSTANTS = 200

Case = dict[str, Any]


async def run_cases(folder: Path, cases: Sequence[Case]) -> list[Case]:
    """Return the outcome of each case. Two workers share the cases and one journal."""
    found: list[Case] = []

    async def work(part: Sequence[Case]) -> None:
        lines = "".join(f"{json.dumps(case)}\n" for case in part)
        command = [sys.executable, str(WORKER), str(folder)]
        done = await anyio.run_process(command, input=lines.encode(), check=False)
        assert done.returncode == 0, done.stderr.decode()
        found.extend(map(json.loads, done.stdout.splitlines()))

    async with anyio.create_task_group() as group:
        group.start_soon(work, cases[::2])
        group.start_soon(work, cases[1::2])
    assert len(found) == len(cases)
    return found


async def run_without_kill(folder: Path) -> Case:
    (whole,) = await run_cases(folder, [{"name": "whole", "kill": "", "at": 0}])
    assert not whole["killed"]
    return whole


def check(outcome: Case, whole: Case) -> int:
    """Check the promises for one outcome, and return how many calls were interrupted."""
    ran = Counter(map(int, outcome["ran"]))
    interrupted = [
        at for at, text in enumerate(outcome["texts"]) if "The call was interrupted" in text
    ]
    same = [text for at, text in enumerate(outcome["texts"]) if at not in interrupted]
    assert same == [text for at, text in enumerate(whole["texts"]) if at not in interrupted], (
        outcome
    )
    # Only the interrupted call may have run twice, if it is idempotent, or not at all.
    assert len(interrupted) <= 1, outcome
    assert all(ran[n] <= 1 for n in range(1, CALLS, 2)), outcome
    again = [n for n in range(0, CALLS, 2) if ran[n] > 1]
    assert len(again) <= 1, outcome
    assert all(ran[n] <= 2 for n in again), outcome
    missing = [n for n in range(CALLS) if ran[n] == 0]
    assert len(missing) <= len(interrupted), outcome
    return len(interrupted)


def check_journal(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "journal.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@pytest.mark.timeout(600)
async def test_a_run_killed_at_any_record_or_in_any_tool_continues(tmp_path: Path) -> None:
    kills = [("before", RECORDS), ("after", RECORDS), ("tool", CALLS)]
    cases = [
        {"name": f"{kill}-{at}", "kill": kill, "at": at + (kill != "tool")}
        for kill, count in kills
        for at in range(count)
    ]
    whole = await run_without_kill(tmp_path)
    found = await run_cases(tmp_path, cases)
    assert all(outcome["killed"] for outcome in found)
    with_interrupted_call = {outcome["name"] for outcome in found if check(outcome, whole)}
    # Payments that were running when their process was killed; idempotent calls run again.
    payments = range(1, CALLS, 2)
    after_turns = {f"after-{2 * n + 1}" for n in payments}
    before_results = {f"before-{2 * n + 2}" for n in payments}
    assert with_interrupted_call == after_turns | before_results | {f"tool-{n}" for n in payments}
    check_journal(tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_a_run_killed_at_a_random_instant_continues(tmp_path: Path) -> None:
    whole = await run_without_kill(tmp_path)
    chance = random.Random(7)
    # From before the start of the run to about its end.
    instants = [chance.uniform(0, whole["seconds"]) for _ in range(INSTANTS)]
    cases = [{"name": f"at-{n}", "kill": "instant", "at": at} for n, at in enumerate(instants)]
    found = await run_cases(tmp_path, cases)
    for outcome in found:
        check(outcome, whole)
    assert sum(outcome["killed"] for outcome in found) > INSTANTS // 10
    check_journal(tmp_path)

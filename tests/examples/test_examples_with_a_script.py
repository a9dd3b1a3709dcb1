"""The examples that need a model which does as it is told: a server from a script stands for it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from ossia.agent.testing import Reply, open_fake_vllm

pytestmark = pytest.mark.timeout(180)

EXAMPLES = Path(__file__).parents[2] / "examples"
CALL = (
    "<|channel|>commentary to=functions.read_meter <|constrain|>json<|message|>"
    '{{"house": {house}}}<|call|>'
)
FINAL = "<|channel|>final<|message|>House 2.<|return|>"


async def test_the_resuming_script_goes_on_after_it_was_killed(tmp_path: Path) -> None:
    journal = str(tmp_path / "journal.db")
    waits = anyio.Event()

    def replies() -> Iterator[Reply]:
        yield Reply(turn=CALL.format(house=1))
        waits.set()
        yield Reply(turn=FINAL, hang_after=2)
        yield Reply(turn=CALL.format(house=2))
        yield Reply(turn=FINAL)

    with anyio.fail_after(120):
        async with open_fake_vllm(replies()) as fake:
            command = [sys.executable, str(EXAMPLES / "resuming.py"), fake.url, journal]
            async with (
                await anyio.open_process(command, stderr=None) as process,
                anyio.create_task_group() as group,
            ):

                async def end() -> None:
                    await process.wait()
                    assert waits.is_set(), "the script has ended by itself"

                group.start_soon(end)
                await waits.wait()
                process.kill()
            done = await anyio.run_process(command)
    assert "after 1 steps" in done.stdout.decode()
    assert done.stdout.decode().endswith("House 2.  (3 steps, 2 calls)\n")
    # What was answered before the kill stood in the prompt, and was not asked again.
    first, last = fake.requests[0]["prompt"], fake.requests[-1]["prompt"]
    assert last[: len(first)] == first
    assert len(fake.requests) == 4


async def test_many_tasks_are_lines_of_json() -> None:
    final = Reply(turn="<|channel|>final<|message|>Done.<|return|>")
    refused = Reply(status=400, error="no")
    with anyio.fail_after(120):
        async with open_fake_vllm([*[final] * 11, refused, *[final] * 12]) as fake:
            command = [sys.executable, str(EXAMPLES / "many_tasks.py"), fake.url, "24"]
            done = await anyio.run_process(command)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert sorted(line["task"] for line in lines) == list(range(24))
    said = [line["said"] for line in lines]
    assert said.count("Done.") == 23
    assert "error" in next(one for one in said if one != "Done.")

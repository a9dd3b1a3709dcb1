"""What the trained python tool promises: a stateful notebook."""

from __future__ import annotations

from ossia.sandbox import Sandbox


async def test_state_is_kept_between_cells(sandbox: Sandbox) -> None:
    await sandbox.execute("x = 20")
    assert (await sandbox.execute("x + 1")).result == "21"

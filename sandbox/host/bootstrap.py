"""The kernel's modules as one blob, and the command that starts it."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any

from ..kernel import PROGRAM, packed


def boot_command(python: str = "python3", line: str | None = None) -> list[str]:
    """Return the command of a supervisor that reads its modules from stdin, or from a socket file.

    line: the socket file; where it cannot be reached, stdin and stdout serve (see `PROGRAM`).
    """
    command = [python, "-I", "-S", "-c", PROGRAM, "0", "supervisor"]
    return command if line is None else [*command, line]


def boot_blob(options: dict[str, Any]) -> bytes:
    """Return what a supervisor reads first.

    options: `data` (its folder) and `rlimits` (of the worker, by name in lower case).
    """
    return packed(json.dumps({"modules": _modules(), "options": options}).encode())


@cache
def _modules() -> dict[str, str]:
    folder = resources.files("ossia.sandbox.kernel")
    return {
        entry.name.removesuffix(".py"): entry.read_text("utf-8")
        for entry in folder.iterdir()
        if entry.name.endswith(".py") and entry.name != "__init__.py"
    }

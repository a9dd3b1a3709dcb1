"""The command that starts a kernel, and the data that the kernel then reads."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any

from ..kernel import PROGRAM, add_length_prefix


def boot_command(python: str = "python3", control_socket: str | None = None) -> list[str]:
    """Return the command of a supervisor that reads its modules from stdin or a socket file.

    control_socket: path of the socket file. If the supervisor cannot connect to it, it uses
        stdin and stdout (see `PROGRAM`).
    """
    command = [python, "-I", "-S", "-c", PROGRAM, "0", "supervisor"]
    return command if control_socket is None else [*command, control_socket]


def boot_data(options: dict[str, Any]) -> bytes:
    """Return the bytes that a supervisor reads first: the kernel's modules and options.

    options: `data` (the data folder), `rlimits` (of the worker, with names in lower case),
        `cpus` (for the worker; 0 means no limit) and `proxy` (port and socket, or None).
    """
    return add_length_prefix(json.dumps({"modules": _modules(), "options": options}).encode())


@cache
def _modules() -> dict[str, str]:
    folder = resources.files("ossia.sandbox.kernel")
    return {
        entry.name.removesuffix(".py"): entry.read_text("utf-8")
        for entry in folder.iterdir()
        if entry.name.endswith(".py") and entry.name != "__init__.py"
    }

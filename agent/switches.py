"""Switches for tests, which ossia.agent.testing turns on."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Switches:
    """What holds for every run of this process."""

    forbidden_engines: list[type] = field(default_factory=list[type])
    """Kinds of engines that no run may use."""
    raise_tool_errors: int = 0
    """How many blocks want runs to raise unexpected errors of tools."""


SWITCHES = Switches()

"""What a tool may know of the run that calls it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

Deps = TypeVar("Deps")


@dataclass(frozen=True, slots=True)
class RunContext(Generic[Deps]):
    """The run a call belongs to; a function's first parameter annotated with it receives it."""

    deps: Deps
    """What the caller of the run handed over for its tools: a database, a user, a client."""
    run_id: str = ""
    step: int = 0
    """The turn of the model that made the call, from 1; 0 before the first."""

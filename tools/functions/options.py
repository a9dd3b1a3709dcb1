"""How a function tool may be used."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypedDict

from ...errors import ToolDefinitionError
from ..context import RunContext
from .callables import is_async

Enabled = Callable[[RunContext[Any]], bool]


class ToolOptions(TypedDict, total=False):
    """The keywords of `@tool`; see Options for what they mean."""

    name: str
    description: str
    timeout_s: float | None
    retries: int
    strict: bool
    sequential: bool
    idempotent: bool
    enabled: Enabled | None


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a function tool, complete."""

    name: str = ""
    """As the model sees it; empty: the function's own name."""
    description: str = ""
    """For the model; empty: the docstring's."""
    timeout_s: float | None = 120.0
    """Seconds one call may take; None: as long as it likes."""
    retries: int = 3
    """How often in a row the model may try again after invalid arguments or a ToolRetry."""
    strict: bool = False
    """Whether values must have the schema's very JSON types: no "3" for 3, no 1 for true."""
    sequential: bool = False
    """Whether its calls wait for the other sequential calls of the run."""
    idempotent: bool = False
    """Whether a call may be made again if the process was killed before its answer was recorded.
    If not, a resumed run tells the model that the call was interrupted."""
    enabled: Enabled | None = None
    """The tool is offered only while this holds; None: always."""

    def __post_init__(self) -> None:
        if self.timeout_s is not None and self.timeout_s <= 0:
            raise ToolDefinitionError(f"timeout_s is {self.timeout_s}; give seconds, or None")
        if self.retries < 0:
            raise ToolDefinitionError(f"retries is {self.retries}; give 0 for no second try")
        if self.enabled is not None and is_async(self.enabled):
            raise ToolDefinitionError(
                "`enabled` is async, and a prompt cannot wait; give a plain one"
            )

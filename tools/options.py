"""How a function tool may be used."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypedDict

from .context import RunContext

When = Callable[[RunContext[Any]], bool]


class ToolOptions(TypedDict, total=False):
    """The keywords of `@tool`; see Options for what they mean."""

    name: str
    description: str
    timeout_s: float | None
    retries: int
    strict: bool
    sequential: bool
    when: When | None


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
    when: When | None = None
    """The tool is offered only while this holds; None: always."""

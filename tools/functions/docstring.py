"""What a docstring tells the model."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field

import docstring_parser

# docstring_parser takes a section for the summary if nothing stands before it.
_SUMMARY = "-"


@dataclass(frozen=True, slots=True)
class Doc:
    """A docstring, taken apart."""

    description: str = ""
    parameters: dict[str, str] = field(default_factory=dict[str, str])
    """Descriptions by parameter, `*args` and `**kwargs` without their stars."""


def read_docstring(text: str | None) -> Doc:
    """Read a docstring in Google, NumPy or Sphinx style; the style is found by itself.

    Sections on errors, examples and the like are for programmers, and left out.
    """
    clean = inspect.cleandoc(text or "")
    try:
        parsed = docstring_parser.parse(f"{_SUMMARY}\n\n{clean}")
    except docstring_parser.ParseError:
        return Doc(clean)
    description = parsed.long_description or ""
    if parsed.returns and parsed.returns.description:
        description = f"{description}\n\nReturns: {parsed.returns.description}".strip()
    parameters: dict[str, str] = {}
    for found in parsed.params:
        # NumPy style may describe several at once: `x, y : float`.
        for name in found.arg_name.split(","):
            parameters.setdefault(name.strip().lstrip("*"), found.description or "")
    return Doc(description, parameters)

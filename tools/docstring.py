"""What a docstring tells the model."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field

import docstring_parser


@dataclass(frozen=True, slots=True)
class Doc:
    """A docstring, taken apart."""

    description: str = ""
    parameters: dict[str, str] = field(default_factory=dict[str, str])
    """Descriptions by parameter, `*args` and `**kwargs` without their stars."""


def read_docstring(text: str | None) -> Doc:
    """Read a docstring in Google, NumPy or Sphinx style; the style is found by itself."""
    clean = inspect.cleandoc(text or "")
    try:
        parsed = docstring_parser.parse(clean)
    except docstring_parser.ParseError:
        return Doc(clean)
    parts = [parsed.short_description, parsed.long_description]
    if parsed.returns and parsed.returns.description:
        parts.append(f"Returns: {parsed.returns.description}")
    parameters = {
        parameter.arg_name.lstrip("*"): parameter.description
        for parameter in parsed.params
        if parameter.description
    }
    return Doc("\n\n".join(part for part in parts if part), parameters)

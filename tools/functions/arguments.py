"""What models write where arguments belong, and what they are told when it does not fit."""

from __future__ import annotations

import json
import re
from contextlib import suppress

from pydantic import ValidationError

# A fence with another inside is prose with several blocks: nobody can tell which is meant.
_FENCE = re.compile(
    r"\s*```[\w+-]*[ \t]*\n((?:(?!^[ \t]*```).)*?)\n?[ \t]*```\s*", re.DOTALL | re.MULTILINE
)
_SHOWN_ERRORS = 8
_SHOWN_INPUT = 60


def unwrapped(text: str) -> str:
    """The text inside a Markdown fence or a JSON string, if that is all there is; else the text."""
    fenced = _FENCE.fullmatch(text)
    if fenced:
        return fenced[1]
    if text.lstrip().startswith('"{'):
        with suppress(ValueError):
            return str(json.loads(text))
    return text


def arguments_json(text: str) -> str:
    """The JSON of a call's arguments, out of its wrapping; nothing is no arguments."""
    body = unwrapped(text).strip()
    return "{}" if body in {"", "null"} else body


def invalid_arguments(recipient: str, error: ValidationError) -> str:
    """Why a call's arguments do not fit, for the model that has to mend it."""
    return "\n".join([f"invalid arguments for {recipient}:", *faults(error, "the arguments")])


def faults(error: ValidationError, whole: str) -> list[str]:
    """Pydantic's locations and messages, a short line each.

    whole: what is at fault where no part of it is.
    """
    problems = error.errors(include_url=False, include_context=False)
    lines: list[str] = []
    for problem in problems[:_SHOWN_ERRORS]:
        where = ".".join(str(part) for part in problem["loc"]) or whole
        given = problem["input"]
        shown = "" if isinstance(given, dict | list) else f" (given: {_short(given)})"
        lines.append(f"- {where}: {problem['msg']}{shown}")
    if len(problems) > _SHOWN_ERRORS:
        lines.append(f"- and {len(problems) - _SHOWN_ERRORS} more")
    return lines


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) <= _SHOWN_INPUT else text[: _SHOWN_INPUT - 1] + "…"

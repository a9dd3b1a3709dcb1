"""The arguments of a call as models write them, and error messages for invalid ones."""

from __future__ import annotations

import json
import re
from contextlib import suppress

from pydantic import ValidationError

# A fence that contains another fence is prose with several code blocks: none of them is the one.
_FENCE = re.compile(
    r"\s*```[\w+-]*[ \t]*\n((?:(?!^[ \t]*```).)*?)\n?[ \t]*```\s*", re.DOTALL | re.MULTILINE
)
_MAX_ERRORS = 8
_MAX_INPUT_CHARS = 60


def unwrap(text: str) -> str:
    """Return the text inside a Markdown fence or a JSON string, if `text` is only that."""
    fenced = _FENCE.fullmatch(text)
    if fenced:
        return fenced[1]
    if text.lstrip().startswith('"{'):
        with suppress(ValueError):
            return str(json.loads(text))
    return text


def extract_arguments(text: str) -> str:
    """Return the JSON of a call's arguments, without what is around it; `{}` if there are none."""
    body = unwrap(text).strip()
    return "{}" if body in {"", "null"} else body


def invalid_arguments_error(recipient: str, error: ValidationError) -> str:
    """Return what the model reads after a call with invalid arguments."""
    lines = describe_errors(error, root="the arguments")
    return "\n".join([f"invalid arguments for {recipient}:", *lines])


def describe_errors(error: ValidationError, *, root: str) -> list[str]:
    """Return one short line for each of pydantic's errors, with its location.

    root: the name for the whole value, if an error is not about a part of it.
    """
    errors = error.errors(include_url=False, include_context=False)
    lines: list[str] = []
    for details in errors[:_MAX_ERRORS]:
        location = ".".join(str(part) for part in details["loc"]) or root
        value = details["input"]
        given = "" if isinstance(value, dict | list) else f" (given: {_shorten(value)})"
        lines.append(f"- {location}: {details['msg']}{given}")
    if len(errors) > _MAX_ERRORS:
        lines.append(f"- and {len(errors) - _MAX_ERRORS} more")
    return lines


def _shorten(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) <= _MAX_INPUT_CHARS else text[: _MAX_INPUT_CHARS - 1] + "…"

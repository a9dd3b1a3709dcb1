"""What models write where arguments belong, and what they are told when it does not fit."""

from __future__ import annotations

import json
import re

from pydantic import ValidationError

_FENCE = re.compile(r"\s*```[\w+-]*[ \t]*\n(.*?)\n?[ \t]*```\s*", re.DOTALL)
_SHOWN_ERRORS = 8
_SHOWN_INPUT = 60


def unfence(text: str) -> str:
    """The text inside a Markdown code fence, if the fence is all there is; else the text."""
    fenced = _FENCE.fullmatch(text)
    return fenced[1] if fenced else text


def arguments_json(text: str) -> str:
    """The JSON of a call's arguments, out of its fence or string; nothing is no arguments."""
    body = unfence(text).strip()
    if body.startswith('"'):
        try:
            body = json.loads(body)
        except ValueError:
            return body
    return "{}" if body in ("", "null") else body


def invalid_arguments(recipient: str, error: ValidationError) -> str:
    """Pydantic's locations and messages, short, for the model that has to mend the call."""
    problems = error.errors(include_url=False, include_context=False)
    lines = [f"invalid arguments for {recipient}:"]
    for problem in problems[:_SHOWN_ERRORS]:
        where = ".".join(str(part) for part in problem["loc"]) or "the arguments"
        given = problem["input"]
        shown = "" if isinstance(given, dict | list) else f" (given: {_short(given)})"
        lines.append(f"- {where}: {problem['msg']}{shown}")
    if len(problems) > _SHOWN_ERRORS:
        lines.append(f"- and {len(problems) - _SHOWN_ERRORS} more")
    return "\n".join(lines)


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) <= _SHOWN_INPUT else text[: _SHOWN_INPUT - 1] + "…"

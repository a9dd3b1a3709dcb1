"""The code in a call to python, in whatever form the model sent it."""

from __future__ import annotations

import json

from .functions import unwrapped

_FIELDS = ("code", "script")


def read_source(text: str) -> str:
    """The Python source in a call: raw, fenced, or the `code` or `script` of a JSON object."""
    source = unwrapped(text)
    if not source.lstrip().startswith("{"):
        return source
    try:
        fields = json.loads(source)
    except ValueError:
        return source
    for name in _FIELDS:
        if isinstance(fields.get(name), str):
            return unwrapped(fields[name])
    return source

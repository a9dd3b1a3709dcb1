"""Names that earlier versions of ossia stored, and how to read them.

Format 1 is what versions before the renaming of records wrote. It has other kinds and fields. A
run that was resumed by a later version has records of both formats.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from pydantic_core import from_json

_KINDS = {
    "run_taken": "run_resumed",
    "turn_taken": "turn_sampled",
    "call_ended": "tool_result_recorded",
    "model_told": "user_message_added",
    "answer_taken": "output_accepted",
}
_FIELDS: Mapping[str, Mapping[str, str]] = {
    "run_opened": {"began": "started_at", "about": "metadata"},
    "turn_sampled": {"kept": "kept_tokens", "discarded": "discard_reason"},
    "tool_result_recorded": {
        "changes": "state_changes",
        "nudge": "repeat_notice",
        "trace": "fingerprint",
    },
    "user_message_added": {"why": "origin"},
    "context_trimmed": {"shown": "replacements"},
    "run_failed": {"error": "error_type"},
}
"""New names of fields, by kind and old name."""
_ORIGINS = {"asked": "user", "rejected": "rejection"}


def stored_kinds(kind: str) -> tuple[str, ...]:
    """Return all names under which records of a kind are stored."""
    return (kind, *(old for old, new in _KINDS.items() if new == kind))


def upgrade(line: bytes | str) -> Any:
    """Return the JSON of a stored record with the current names. Raises ValueError if malformed."""
    data = from_json(line)
    if not isinstance(data, dict):
        return data
    record = cast("dict[str, Any]", data)
    kind = record.get("kind")
    record["kind"] = kind = _KINDS.get(str(kind), kind)
    for old, new in _FIELDS.get(str(kind), {}).items():
        if old in record:
            record[new] = record.pop(old)
            if new == "replacements":
                record["read_tool"] = "recall_output"
            elif new == "origin":
                record[new] = _ORIGINS.get(record[new], record[new])
    return record
